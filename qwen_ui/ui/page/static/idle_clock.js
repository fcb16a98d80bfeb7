/* gradio 6.31 shows a clock while it builds the page, and takes it away without stopping it: it asks
   for 60 frames a second as long as the page is open, a fifth of a core without a graphics card.
   Whoever asks for a frame while one of that clock's runs is the clock again, and gets none. */
(() => {
  "use strict";
  const request = window.requestAnimationFrame.bind(window);
  const built = () => document.getElementById("q-tabs") !== null;
  let running = null;
  window.requestAnimationFrame = (callback) => {
    const loop = running || { clock: !built() && /performance\.now\(\)/.test(String(callback)) };
    if (loop.clock && built()) return 0;
    return request((time) => {
      const outer = running;
      running = loop;
      try {
        callback(time);
      } finally {
        running = outer;
      }
    });
  };
})();
