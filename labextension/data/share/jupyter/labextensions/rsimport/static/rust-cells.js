// Colours the cells of %%rsimport as Rust, in JupyterLab 4 and Notebook 7. A kernel cannot do that: it names one language
// for all cells. This is what webpack makes of an extension, written by hand, because there is nothing to bundle.
(() => {
  const MAGIC = /^\s*(%%(time|timeit|capture)\b[^\n]*\n\s*)*%%rsimport\b/;
  const RUST = "text/x-rustsrc";

  function attend(notebook, model) {
    if (model.type !== "code") {
      return;
    }
    const settle = () => {
      const isRust = MAGIC.test(model.sharedModel.getSource());
      // Whatever else another extension makes of a cell is left alone.
      if (isRust !== (model.mimeType === RUST)) {
        model.mimeType = isRust ? RUST : notebook.codeMimetype;
      }
    };
    model.contentChanged.connect(settle);
    model.mimeTypeChanged.connect(settle); // The notebook sets it as soon as it knows the kernel's language.
    settle();
  }

  function attendAll(notebook) {
    const seen = new WeakSet();
    const look = () => {
      for (const model of notebook.model?.cells ?? []) {
        if (!seen.has(model)) {
          seen.add(model);
          attend(notebook, model);
        }
      }
    };
    notebook.modelContentChanged.connect(look);
    notebook.modelChanged.connect(look);
    look();
  }

  let shared;

  async function load() {
    const [entry] = Object.values(shared["@jupyterlab/notebook"]);
    const { INotebookTracker } = (await entry.get())();
    const plugin = {
      id: "rsimport:rust-cells",
      description: "Colours the cells of %%rsimport as Rust.",
      autoStart: true,
      requires: [INotebookTracker],
      activate: (app, tracker) => {
        tracker.forEach((panel) => attendAll(panel.content));
        tracker.widgetAdded.connect((_, panel) => attendAll(panel.content));
      },
    };
    return () => ({ __esModule: true, default: plugin });
  }

  window._JUPYTERLAB = window._JUPYTERLAB ?? {};
  window._JUPYTERLAB.rsimport = {
    init: (scope) => {
      shared = scope;
    },
    get: load,
  };
})();
