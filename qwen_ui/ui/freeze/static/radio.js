/** Of a group of radio buttons, check this one. */
export const checkOne = (button) => {
  for (const one of button.parentElement.querySelectorAll("button")) {
    one.setAttribute("aria-checked", one === button);
  }
};
