/* The one way to the server. Gradio gives a component its functions as `server`; nothing else calls
   them. An answer is a JSON object, or {error: {kind, message}}: see `qwen_ui/ui/page/api.py`. */

const NO_ANSWER =
  "The dashboard does not answer. This page tries again; if it stays so, look whether " +
  "the dashboard still runs.";
const OUR_FAULT = "Internal error. Details are in the browser's console.";

/** What the server said was wrong; of kind "network" where it said nothing. */
export class ApiError extends Error {
  constructor(kind, message, options = undefined) {
    super(message, options);
    this.name = "ApiError";
    this.kind = kind;
  }
}

export class Api {
  constructor(server) {
    this.server = server;
  }

  /** The answer of this server function. Throws ApiError. */
  async call(name, argument = {}) {
    const ask = this.server[name];
    if (typeof ask !== "function") throw new TypeError(`the server has no function '${name}'`);
    let answer;
    try {
      answer = await ask(argument);
    } catch (error) {
      throw new ApiError("network", NO_ANSWER, { cause: error });
    }
    // gradio's client turns a failed request into no answer at all.
    if (answer === undefined || answer === null) throw new ApiError("network", NO_ANSWER);
    if (answer.error) throw new ApiError(answer.error.kind, answer.error.message);
    return answer;
  }
}

/** Whether the server understood the question and said why it cannot be answered: asked again, it
    says the same. */
export const isRefusal = (error) =>
  error instanceof ApiError && error.kind !== "network" && error.kind !== "InternalError";

/** What to show a person of an error. One that is no answer of the server's is a fault of this
    page: it goes to the console, as an uncaught one does. */
export const messageOf = (error) => {
  if (error instanceof ApiError) return error.message;
  globalThis.reportError(error);
  return OUR_FAULT;
};

/** Do what a person asked for. What goes wrong is said where they asked: `say` is told the text,
    and "" when the work begins. Gives undefined where it failed. */
export const attempt = async (work, say) => {
  say("");
  try {
    return await work();
  } catch (error) {
    say(messageOf(error));
    return undefined;
  }
};
