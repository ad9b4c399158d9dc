"""Settings: declared once, read from four places in a fixed order, refused with the place when wrong."""

from __future__ import annotations

import pytest
from helpers import block, line_of, names_line, value, write

import rsimport
from rsimport import _engine
from rsimport._python import ABI
from rsimport.dask._payload import TRAVELLING

DEFAULTS = {
    "tier": "auto",
    "fast_calls": True,
    "fast_macros": True,
    "reuse_glue": True,
    "profile": "release",
    "target_cpu": "native",
    "rustflags": [],
    "features": [],
    "toolchain": "",
    "offline": False,
    "locked": False,
    "force_rebuild": False,
    "stubs": False,
    "shared_caches": [],
    "accept": "any",
    "lock_timeout": 600.0,
    "progress": True,
    "cache_max_size": "5G",
    "cache_max_age": "90d",
}


@pytest.fixture
def effective(project, monkeypatch):
    """The profile that a kernel gets when the four places say these things."""

    def profile(*, pyproject=None, kernel=None, environment=None, call=None):
        if pyproject:
            write(project, {"pyproject.toml": f'[tool.rsimport]\nprofile = "{pyproject}"\n'})
        manifest = block("[package.metadata.rsimport]", f'profile = "{kernel}"') if kernel else ""
        write(project, {"k.rs": "// rsimport\n" + manifest + value(1)})
        if environment:
            monkeypatch.setenv("RSIMPORT_PROFILE", environment)
        given = {"profile": call} if call else {}
        return _engine.settings(str(project / "k.rs"), given)["profile"]

    return profile


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ({}, "release"),
        ({"pyproject": "a"}, "a"),
        ({"kernel": "b"}, "b"),
        ({"environment": "c"}, "c"),
        ({"call": "d"}, "d"),
        ({"pyproject": "a", "kernel": "b"}, "b"),
        ({"kernel": "b", "environment": "c"}, "c"),
        ({"environment": "c", "call": "d"}, "d"),
        ({"pyproject": "a", "environment": "c"}, "c"),
        ({"pyproject": "a", "kernel": "b", "environment": "c", "call": "d"}, "d"),
    ],
    ids=lambda item: "+".join(item) if isinstance(item, dict) else item,
)
def test_later_places_beat_earlier_ones(effective, places, expected):
    assert effective(**places) == expected


def test_the_defaults(project, monkeypatch):
    for name in ("TIER", "CACHE_MAX_SIZE", "CACHE_MAX_AGE"):
        monkeypatch.delenv(f"RSIMPORT_{name}")
    write(project, {"k.rs": "// rsimport\n"})
    settings = _engine.settings(str(project / "k.rs"), {})
    assert {name: settings[name] for name in DEFAULTS} == DEFAULTS
    assert set(settings) == {setting.name for setting in _engine.settings_table()} == {*DEFAULTS, "cache_dir"}


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("PROFILE", "dev", "dev"),
        ("TARGET_CPU", "x86-64", "x86-64"),
        ("RUSTFLAGS", "--cfg=fancy", ["--cfg=fancy"]),
        ("OFFLINE", "1", True),
        ("OFFLINE", "true", True),
        ("OFFLINE", "0", False),
        ("OFFLINE", "false", False),
        ("LOCKED", "1", True),
        ("FORCE_REBUILD", "1", True),
        ("PROGRESS", "0", False),
        ("LOCK_TIMEOUT", "2.5", 2.5),
        ("LOCK_TIMEOUT", "3", 3.0),
    ],
)
def test_each_variable_is_read_as_its_type(project, monkeypatch, name, text, expected):
    monkeypatch.setenv(f"RSIMPORT_{name}", text)
    write(project, {"k.rs": "// rsimport\n"})
    assert _engine.settings(str(project / "k.rs"), {})[name.lower()] == expected


OTHERS = {"str": "x86-64", "bool": None, "list": ["x"], "float": 1.0, "path": ""}
"""A value of each type that is no default; of a switch it is the other one."""


def test_what_decides_about_a_key_goes_along_to_the_workers_of_a_cluster(project):
    write(project, {"k.rs": "// rsimport\n"})
    named = {
        "tier": "fast",
        "profile": "dev",
        "cache_max_size": "1G",
        "cache_max_age": "1d",
        "accept": "none",
    }
    keys = {}
    for setting in _engine.settings_table():
        if setting.name not in ("cache_dir", "shared_caches"):
            value = not DEFAULTS[setting.name] if setting.kind == "bool" else OTHERS[setting.kind]
            given = {setting.name: named.get(setting.name, value)}
            keys[setting.name] = _engine.key(str(project / "k.rs"), "k", ABI, given)
    usual = _engine.key(str(project / "k.rs"), "k", ABI, {})
    assert {name for name, key in keys.items() if key != usual} == set(TRAVELLING)


def test_every_declared_setting_names_its_variable_and_explains_itself():
    for setting in _engine.settings_table():
        assert setting.env == f"RSIMPORT_{setting.name.upper()}"
        assert setting.kind in {"str", "bool", "list", "float", "path"} and setting.help.strip()


def test_the_nearest_pyproject_counts(project):
    write(
        project,
        {
            "pyproject.toml": '[tool.rsimport]\nprofile = "far"\n',
            "near/pyproject.toml": '[tool.rsimport]\nprofile = "near"\n',
            "near/deep/k.rs": "// rsimport\n",
            "k.rs": "// rsimport\n",
        },
    )
    assert _engine.settings(str(project / "near/deep/k.rs"), {})["profile"] == "near"
    assert _engine.settings(str(project / "k.rs"), {})["profile"] == "far"


def test_a_pyproject_of_other_tools_is_no_concern(project):
    write(project, {"pyproject.toml": "[tool.other]\nx = 1\n", "k.rs": "// rsimport\n"})
    assert _engine.settings(str(project / "k.rs"), {})["profile"] == "release"


BAD = [
    'profil = "dev"',
    "profile = 3",
    'rustflags = "x"',
    "rustflags = [1]",
    'offline = "yes"',
    'profile = ["dev"]',
]


@pytest.mark.parametrize("line", BAD)
@pytest.mark.parametrize("place", ["pyproject", "kernel", "crate"])
def test_a_wrong_key_or_type_is_named_with_its_file_and_line(crate, run, project, place, line):
    if place == "pyproject":
        path = project / "pyproject.toml"
        write(
            project,
            {"pyproject.toml": f"[tool.rsimport]\n# why\n{line}\n", "k.rs": "// rsimport\n" + value(1)},
        )
    elif place == "kernel":
        path = project / "k.rs"
        write(project, {"k.rs": "// rsimport\n" + block("[package.metadata.rsimport]", line) + value(1)})
    else:
        path = crate("k", value(1), manifest=f"[package.metadata.rsimport]\n{line}\n") / "Cargo.toml"
    program = """
        import rsimport, rsimport.import_hook
        try:
            import k
        except rsimport.ConfigError as error:
            print(error)
    """
    said = run(program).out
    assert line.split()[0] in said and names_line(said, path, line_of(path, line)), said


@pytest.mark.parametrize(
    ("name", "text"), [("OFFLINE", "perhaps"), ("LOCK_TIMEOUT", "soon"), ("LOCKED", "2")]
)
def test_a_variable_of_the_wrong_type_is_named(project, monkeypatch, name, text):
    monkeypatch.setenv(f"RSIMPORT_{name}", text)
    write(project, {"k.rs": "// rsimport\n"})
    with pytest.raises(rsimport.ConfigError, match=f"RSIMPORT_{name}"):
        _engine.settings(str(project / "k.rs"), {})


@pytest.mark.parametrize("call", ["install", "imp_from_filepath", "build_filepath", "build_all"])
@pytest.mark.parametrize("wrong", [{"profil": "dev"}, {"profile": 3}, {"rustflags": "x"}, {"offline": "yes"}])
def test_a_wrong_argument_is_named(project, call, wrong):
    write(project, {"k.rs": "// rsimport\n" + value(1)})
    arguments = {"install": [], "build_all": [str(project)]}.get(call, [str(project / "k.rs")])
    with pytest.raises((rsimport.ConfigError, TypeError), match=next(iter(wrong))):
        getattr(rsimport, call)(*arguments, **wrong)


def test_what_concerns_the_machine_may_not_stand_in_a_kernel(project):
    for setting in _engine.settings_table():
        if not setting.in_kernel:
            text = {"bool": "true", "list": "[]", "float": "1.0"}.get(setting.kind, '"x"')
            manifest = block("[package.metadata.rsimport]", f"{setting.name} = {text}")
            write(project, {"k.rs": "// rsimport\n" + manifest})
            with pytest.raises(rsimport.ConfigError, match=setting.name):
                _engine.settings(str(project / "k.rs"), {})
    assert not next(s for s in _engine.settings_table() if s.name == "cache_dir").in_kernel


def test_cache_dir_is_taken_from_a_call_and_from_pyproject(kernel, run, project, own_cache):
    kernel("k", value(1))
    elsewhere = own_cache.rename(project / "elsewhere")
    program = f"import rsimport; print(rsimport.build_filepath('k.rs', cache_dir={str(elsewhere)!r}))"
    assert run(program).out.startswith(str(elsewhere)) and not own_cache.exists()
    write(project, {"pyproject.toml": f'[tool.rsimport]\ncache_dir = "{elsewhere}"\n'})
    program = "import rsimport; print(rsimport.build_filepath('k.rs'))"
    assert run(program, env={"RSIMPORT_CACHE_DIR": None}).out.startswith(str(elsewhere))


def test_settings_given_to_install_hold_for_imports(kernel, run):
    kernel("k", value("cfg!(debug_assertions) as i64"))
    program = """
        import rsimport
        with rsimport.install(profile="dev"):
            import k
        print(k.value(), rsimport.info(k).profile)
    """
    assert run(program).out == "1 dev"


def test_features_and_rustflags_reach_a_crate(stub_crate, run):
    stub_crate('i64::from(cfg!(feature = "loud")) + 2 * i64::from(cfg!(told))', "[features]", "loud = []")
    program = """
        import rsimport
        for settings in ({}, {"features": ["loud"]}, {"rustflags": ["--cfg=told"]}):
            print(rsimport.imp_from_filepath("k", **settings).value())
    """
    assert run(program).out.split() == ["0", "1", "2"]


def test_an_unknown_profile_is_an_error_that_names_it(kernel, run):
    kernel("k", value(1))
    program = """
        import rsimport
        try:
            rsimport.imp_from_filepath("k.rs", profile="quickest")
        except rsimport.ConfigError as error:
            print(error)
    """
    assert "quickest" in run(program).out
