/* The way of an edit to Python: a component of its own, whose value the browser alone writes. Where
   both wrote the selector's value, an answer could overwrite the next edit before it was read. */

let send = null;
let waiting = null; // an edit made before the component was there

/** @param {{edit: number, source: string, ranges: string, name: string}} edit */
export const tellEdit = (edit) => {
  if (send) send(JSON.stringify(edit));
  else waiting = edit;
};

export const mount = ({ tell }) => {
  send = tell;
  if (waiting) tellEdit(waiting);
  waiting = null;
};
