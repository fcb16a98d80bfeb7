/* What `make lint` finds wrong; Prettier lays the files out. Tools of development only. */
import js from "@eslint/js";
import globals from "globals";

const AS_TEXT = "Use textContent; markup that the server made goes through `setMarkup` (dom.js).";
const markup = ["innerHTML", "outerHTML", "insertAdjacentHTML"];

export default [
  { ignores: [".venv/", "docs/", "**/*.min.js", "scripts/plotly/"] },
  js.configs.recommended,
  {
    languageOptions: { ecmaVersion: 2023, sourceType: "module", globals: globals.browser },
    rules: {
      "no-restricted-properties": [
        "error",
        ...markup.map((property) => ({ property, message: AS_TEXT })),
      ],
      complexity: ["error", 12],
      eqeqeq: "error",
      "max-lines": ["error", { max: 250, skipBlankLines: true, skipComments: true }],
      "max-lines-per-function": ["error", { max: 40, skipBlankLines: true, skipComments: true }],
      "no-shadow": "error",
      "no-var": "error",
      "prefer-const": ["error", { destructuring: "all" }],
    },
  },
  { files: ["tests/js/**"], languageOptions: { globals: globals.nodeBuiltin } },
];
