/* The component that sends wishes to Python, and what makes them wherever a person is. */
import { followPicker } from "./picker.js";

/** Mounts it: the browser alone writes its value. */
export const mount = ({ tell }) => {
  document.addEventListener("q-wish", ({ detail }) => tell(JSON.stringify(detail)));
  followPicker();
};
