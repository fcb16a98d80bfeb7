/* What another tab asks to compare: told to Python, which ticks the plans, and brought into view. */
import { onCompareWith } from "qwen/page/compare_with.js";
import { whenShown } from "qwen/page/tabs.js";

const bring = async () => {
  const ready = await whenShown("#qc-ticked");
  if (!ready) return;
  ready.scrollIntoView({ block: "center" });
  ready.focus({ preventScroll: true });
};

/** Mounts the component that tells of it: its value is what to compare with, and a number that makes
    the same wish another one. */
export const mount = ({ tell }) => {
  let asked = 0;
  onCompareWith((other) => {
    asked += 1;
    tell(JSON.stringify({ other, asked }));
    bring();
  });
};
