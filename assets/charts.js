/* Charts that grow in place, and the small tools that every view shares. plotly.js is fetched once,
   when a chart is first wanted. A chart extends its lines, so zoom, hover and hidden lines stay. */
(() => {
  "use strict";
  const MOST_POINTS = 2400, FEW_POINTS = 40, LABEL_GAP = 17;
  const NAMES = { loss: "training", smooth: "smoothed", eval: "evaluation" };
  const AXES = { step: "step", tokens: "tokens", elapsed: "seconds" };

  const make = (tag, className, text) => {
    const node = document.createElement(tag);
    if (className) node.className = className;
    if (text !== undefined) node.textContent = text;
    return node;
  };
  const button = (text, className, onclick, title) => {
    const node = make("button", `qr-button ${className || ""}`, text);
    node.type = "button";
    if (title) node.title = title;
    node.addEventListener("click", onclick);
    return node;
  };
  const choice = (label, options, value, onchange) => {
    const select = make("select"), wrap = make("label", "qr-choice", `${label} `);
    for (const [key, text] of Object.entries(options)) {
      const option = make("option", "", text);
      option.value = key;
      select.append(option);
    }
    select.value = value;
    select.addEventListener("change", () => onchange(select.value));
    wrap.append(select);
    return wrap;
  };
  const number = new Intl.NumberFormat("en-US");
  const rounded = (value, digits = 4) => {
    if (value === null || value === undefined) return "–";
    const short = Number(value.toPrecision(digits));
    if (Math.abs(short) >= 1e3) return number.format(short);
    return short !== 0 && Math.abs(short) < 1e-4 ? short.toExponential() : short.toString();
  };
  const duration = (seconds) => {
    if (seconds === null || seconds === undefined) return "–";
    const s = Math.round(seconds);
    if (s < 60) return `${s} s`;
    if (s < 3600) return `${Math.floor(s / 60)} min ${String(s % 60).padStart(2, "0")} s`;
    return `${Math.floor(s / 3600)} h ${String(Math.floor((s % 3600) / 60)).padStart(2, "0")} min`;
  };
  const colour = (name) => getComputedStyle(document.body).getPropertyValue(`--q-${name}`).trim();
  const download = (name, address) => {
    const link = make("a");
    link.href = address;
    link.download = name;
    link.click();
  };
  const save = (name, text, type) => {
    const address = URL.createObjectURL(new Blob([text], { type }));
    download(name, address);
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  };

  /* Plots keep the colours that they were drawn with: draw again when the theme changes. */
  const onTheme = (again) => new MutationObserver(again)
    .observe(document.body, { attributes: true, attributeFilter: ["class"] });

  /* Ours, whoever else sets `window.Plotly`: gradio's own plots do, some seconds after the page, and
     a chart that is drawn by another copy than began it loses its listeners. */
  let library = null, ours = null;
  const drawer = () => ours;
  const plotly = (address) => {
    if (ours) return Promise.resolve(ours);
    library ||= new Promise((resolve, reject) => {
      const script = make("script");
      script.src = address;
      script.async = true;
      script.onload = () => {
        ours = window.Plotly;
        resolve(ours);
      };
      script.onerror = () => {
        library = null;
        script.remove();
        reject(new Error("plotly.js could not be loaded; this page tries again."));
      };
      document.head.append(script);
    });
    return library;
  };

  const layout = (axis, extra = {}) => {
    const grid = colour("line"), muted = colour("muted");
    const axisStyle = {
      gridcolor: grid, zeroline: false, color: muted, linecolor: grid,
    };
    return {
      height: extra.height || 150,
      // Wide enough for every label, so that plotly need not measure them at every update.
      margin: { l: 62, r: extra.right || 12, t: extra.top || 8, b: 44 },
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: "system-ui, -apple-system, Segoe UI, Roboto, sans-serif", size: 12,
        color: colour("ink") },
      hovermode: "x unified", hoverlabel: { bgcolor: colour("raised"), bordercolor: grid },
      showlegend: !!extra.legend,
      legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" },
      xaxis: { ...axisStyle, title: { text: AXES[axis] || axis, standoff: 6 }, ...extra.x },
      yaxis: { ...axisStyle, ...extra.y },
      uirevision: extra.revision || "kept",
      // plotly makes the buttons' ground from the chart's: dark grey where that is transparent.
      modebar: { bgcolor: "rgba(0,0,0,0)", color: muted, activecolor: colour("accent") },
      dragmode: "zoom",
    };
  };
  // plotly's own "Share chart" sends a person's data to its cloud: not from here.
  const CONFIG = {
    responsive: true, displaylogo: false, displayModeBar: "hover",
    modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d", "toImage", "sendChartToCloud"],
  };

  /* A picture of a plot as it stands, on the page's ground, with a legend in place of our labels. */
  const picture = async (plot, format, name, title) => {
    const look = { ...plot.layout, showlegend: plot.data.length > 1, autosize: false,
      paper_bgcolor: colour("surface"), plot_bgcolor: colour("surface"),
      margin: { l: 70, r: 24, t: 64, b: 56 }, title: { text: title, x: 0.02, font: { size: 16 } } };
    const copy = { data: plot.data, layout: look };
    download(`${name}.${format}`,
      await drawer().toImage(copy, { format, width: 1200, height: 600, scale: 2 }));
  };

  /* Keep the smallest and the largest of every bucket; the first and the last point stay. */
  const thin = (x, y, most) => {
    if (x.length <= most) return [x, y];
    const keep = new Set([0, x.length - 1]), buckets = Math.floor(most / 4);
    for (let bucket = 0; bucket < buckets; bucket++) {
      let low = -1, high = -1;
      const last = Math.floor(((bucket + 1) * x.length) / buckets);
      for (let i = Math.floor((bucket * x.length) / buckets); i < last; i++) {
        if (y[i] === null) continue;
        if (low < 0 || y[i] < y[low]) low = i;
        if (high < 0 || y[i] > y[high]) high = i;
      }
      if (low >= 0) keep.add(low).add(high);
    }
    const rows = [...keep].sort((a, b) => a - b);
    return [rows.map((i) => x[i]), rows.map((i) => y[i])];
  };

  /* The name of every line beside its end; a click hides and shows the line. They stand in the
     page, over the plot's right margin, and follow zoom, scale and size. */
  class EndLabels {
    constructor(plot, toggle) {
      this.plot = plot;
      this.toggle = toggle;
      this.node = make("div", "qr-labels");
      this.labels = [];
    }
    /* labels: {key, name, value, text, colour, hidden}; an old button is used again. */
    set(labels) {
      this.labels = labels;
      while (this.node.children.length > labels.length) this.node.lastChild.remove();
      labels.forEach((label, row) => {
        let node = this.node.children[row];
        if (!node) {
          node = button("", "qr-label", () => this.toggle(node.dataset.key));
          this.node.append(node);
        }
        const text = label.text ? `${label.name} ${label.text}` : label.name;
        if (node.textContent !== text) node.textContent = text;
        node.dataset.key = label.key;
        node.title = `${text}: hide or show`;
        node.style.color = label.colour;
        node.setAttribute("aria-pressed", String(!label.hidden));
      });
      this.place();
    }
    place() {
      const full = this.plot._fullLayout, y = full?.yaxis;
      if (!y || !this.labels.length) return;
      const top = full._size.t, bottom = top + full._size.h;
      const clamp = (value) => Math.min(bottom, Math.max(top, value));
      const at = this.labels.map((label, row) => {
        const pixel = y._offset + y.d2p(label.value);
        return { row, y: clamp(Number.isFinite(pixel) ? pixel : bottom) };
      }).sort((a, b) => a.y - b.y);
      for (let i = 1; i < at.length; i++) at[i].y = Math.max(at[i].y, at[i - 1].y + LABEL_GAP);
      for (let i = at.length - 1, low = bottom + LABEL_GAP; i >= 0; i--, low -= LABEL_GAP) {
        at[i].y = Math.min(at[i].y, low);
      }
      this.node.style.left = `${full._size.l + full._size.w + 6}px`;
      for (const { row, y: pixel } of at) {
        this.node.children[row].style.transform = `translateY(${Math.round(pixel) - 9}px)`;
      }
    }
  }

  const STYLES = {
    loss: () => ({ line: { color: colour("frozen"), width: 1 }, opacity: 0.8 }),
    smooth: () => ({ line: { color: colour("accent"), width: 2.4 } }),
    eval: () => ({ mode: "lines+markers", line: { color: colour("role-attention"), width: 2 },
      marker: { size: 7 } }),
    other: () => ({ line: { color: colour("accent"), width: 1.6 } }),
  };
  const styled = (line) => (STYLES[line] || STYLES.other)();
  const trace = (line) => ({
    type: "scatter", mode: "lines", marker: { size: 4 }, x: [], y: [], name: NAMES[line] || line,
    hovertemplate: "%{y:.5g}", ...styled(line),
  });
  const last = (values) => {
    for (let i = values.length - 1; i >= 0; i--) if (values[i] !== null) return values[i];
    return null;
  };

  /* One chart: a heading with the last value, the plot, and its downloads. `view` has `axis`, `run`
     and `csv()`; `spec` has key, title, lines, and zero, bytes, main where they hold. */
  class Chart {
    constructor(view, spec) {
      Object.assign(this, { view, spec, log: false, few: false, held: {}, drawn: false, seen: false });
      this.work = Promise.resolve();
      this.node = make("figure", spec.main ? "qr-chart qr-main" : "qr-chart");
      const head = make("figcaption", "qr-chart-head"), tools = make("span", "qr-tools");
      this.now = make("span", "qr-now");
      const log = button("log", "qr-tool", () => this.toggleLog(log), "Logarithmic scale");
      log.setAttribute("aria-pressed", "false");
      tools.append(log);
      for (const format of ["png", "svg"]) {
        tools.append(button(format.toUpperCase(), "qr-tool", () => picture(this.plot, format,
          `${view.run}-${spec.key}`, spec.title), `Download ${spec.title.toLowerCase()} as ${format.toUpperCase()}`));
      }
      tools.append(button("CSV", "qr-tool", () => view.csv(), "Download every recorded step as CSV"));
      head.append(make("span", "qr-chart-title", spec.title), this.now, tools);
      this.plot = make("div", "qr-plot");
      this.frame = make("div", "qr-frame");
      this.frame.style.minHeight = `${this.height()}px`;
      this.frame.append(this.plot);
      if (spec.main) {
        this.labels = new EndLabels(this.plot, (line) => this.toggleLine(line));
        this.frame.append(this.labels.node);
        this.frame.dataset.wait = "The curve begins with the first step.";
      }
      this.node.append(head, this.frame);
      this.node.hidden = !spec.main;
      new IntersectionObserver((entries) => {
        this.seen = entries[entries.length - 1].isIntersecting;
        if (this.seen) this.flush();
      }, { rootMargin: "200px" }).observe(this.node);
    }
    height() { return this.spec.main ? 320 : 170; }
    layout() {
      const y = { type: this.log ? "log" : "linear",
        rangemode: this.spec.zero && !this.log ? "tozero" : "normal" };
      if (this.spec.bytes) Object.assign(y, { tickformat: ".4~s", ticksuffix: "B" });
      return layout(this.view.axis, { height: this.height(), right: this.spec.main ? 132 : 12, y,
        x: { rangemode: "tozero" } });
    }
    text(value) {
      if (value === null || value === undefined) return "";
      return this.spec.bytes ? `${rounded(value / 1e9, 3)} GB` : rounded(value);
    }
    /* Take in what is new; it is drawn when the chart is in view, so an update costs what is seen. */
    take(lines, draw = true) {
      for (const line of this.spec.lines) {
        if (!lines[line]) continue;
        const [x, y] = this.held[line] || [[], []];
        this.held[line] = thin(x.concat(lines[line][0]), y.concat(lines[line][1]), MOST_POINTS);
      }
      const first = lines[this.spec.lines[0]];
      if (first) {
        this.node.hidden = false;
        if (!this.labels) this.now.textContent = this.text(last(first[1]));
      }
      return draw ? this.flush() : this.work;
    }
    flush() {
      this.work = this.work.then(() => this.drawHeld());
      return this.work;
    }
    async drawHeld() {
      const lib = drawer(), held = this.held;
      if (!lib || !this.seen || !Object.keys(held).length) return;
      this.held = {};
      if (!this.drawn) {
        const traces = this.spec.lines.map((line) => {
          const [x, y] = held[line] || [[], []];
          return { ...trace(line), x, y };
        });
        this.drawn = true;
        delete this.frame.dataset.wait;
        await lib.newPlot(this.plot, traces, this.layout(), CONFIG);
        if (this.labels) this.plot.on("plotly_afterplot", () => this.labels.place());
      } else {
        const rows = this.spec.lines.map((_, row) => row).filter((row) => held[this.spec.lines[row]]);
        const part = (i) => rows.map((row) => held[this.spec.lines[row]][i]);
        await lib.extendTraces(this.plot, { x: part(0), y: part(1) }, rows);
        if (this.plot.data.some((data) => data.x.length > MOST_POINTS * 1.5)) {
          const thinned = this.plot.data.map((data) => thin(data.x, data.y, MOST_POINTS));
          await lib.restyle(this.plot, { x: thinned.map((t) => t[0]), y: thinned.map((t) => t[1]) });
        }
      }
      await this.mark();
      this.label();
    }
    /* A line of a few points shows them: one alone would be no line at all. */
    async mark() {
      const few = this.plot.data[0].x.length < FEW_POINTS;
      if (few === this.few) return;
      this.few = few;
      const rows = this.spec.lines.map((line, row) => line === "eval" ? -1 : row).filter((r) => r >= 0);
      await drawer().restyle(this.plot, { mode: few ? "lines+markers" : "lines" }, rows);
    }
    label() {
      if (!this.labels) return;
      this.labels.set(this.plot.data.map((data, row) => ({ key: this.spec.lines[row],
        name: data.name, value: last(data.y), text: this.text(last(data.y)),
        colour: this.spec.lines[row] === "loss" ? colour("muted") : styled(this.spec.lines[row]).line.color,
        hidden: data.visible === "legendonly" })).filter((label) => label.value !== null));
    }
    async toggleLine(line) {
      const row = this.spec.lines.indexOf(line), hidden = this.plot.data[row].visible === "legendonly";
      await drawer().restyle(this.plot, { visible: hidden ? true : "legendonly" }, [row]);
      this.label();
    }
    clear(axisChanged) {
      this.held = {};
      this.work = this.work.then(async () => {
        if (!this.drawn) return;
        const empty = () => this.plot.data.map(() => []);
        const range = axisChanged
          ? { "xaxis.title.text": AXES[this.view.axis], "xaxis.autorange": true } : {};
        await drawer().update(this.plot, { x: empty(), y: empty() }, range);
      });
    }
    toggleLog(node) {
      this.log = !this.log;
      node.setAttribute("aria-pressed", String(this.log));
      if (!this.drawn) return;
      drawer().relayout(this.plot, { "yaxis.type": this.log ? "log" : "linear",
        "yaxis.autorange": true });
    }
    recolour() {
      if (!this.drawn) return;
      const data = this.plot.data.map((old, row) =>
        ({ ...old, ...styled(this.spec.lines[row]), mode: old.mode }));
      drawer().react(this.plot, data, this.layout(), CONFIG);
      this.label();
    }
  }

  window.QwenCharts = {
    Chart, EndLabels,
    tools: { make, button, choice, number, plotly, onTheme, layout, colour, thin, save, picture, drawer,
      rounded, duration, last, CONFIG, AXES },
  };
})();
