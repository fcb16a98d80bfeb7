/* Files that the page hands to a person. */
import { make } from "./dom.js";

const KEPT_MS = 1000; // the browser reads the address after the click

export const download = (name, address) => {
  const link = make("a");
  link.href = address;
  link.download = name;
  link.click();
};

/** Offer a text as a file of this name. */
export const save = (name, text, type) => {
  const address = URL.createObjectURL(new Blob([text], { type }));
  download(name, address);
  setTimeout(() => URL.revokeObjectURL(address), KEPT_MS);
};
