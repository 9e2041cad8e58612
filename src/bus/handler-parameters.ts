/** What a handler can see of its call, by its own text. */

/** A name, or members in braces; not followed by a rest of all parameters. */
const parameter = String.raw`(?:[\w$]+|\{(?:[^()=}]|\}(?!\s*,\s*\.\.\.))*\})`;
/** `event =>`, `async (event) =>`, `function name({ payload }) {`, `name(event) {`. */
const head = new RegExp(String.raw`^(?:[\w$\s]+=>|[\w$\s]*\(\s*${parameter}\s*,?\s*\)\s*(?:=>|\{))`);

/**
 * Whether a function sees nothing but its first argument. It may be said of less than those: `length` is 1 also for `(event, ...rest)`, `(event, context = …)`
 * and for functions that were bound, and others read `arguments`.
 */
export function seesOneArgument(handler: (...given: never[]) => unknown): boolean {
  if (handler.length !== 1) return false;
  const text = Function.prototype.toString.call(handler);
  return head.test(text) && !text.includes("arguments");
}
