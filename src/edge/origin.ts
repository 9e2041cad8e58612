/** Origins of pages. */

/** Whether the text is an origin as browsers write it: scheme, host and port, nothing behind it. */
export function isOrigin(text: string): boolean {
  return !text.includes("*") && URL.canParse(text) && /^https?:/.test(text) && new URL(text).origin === text;
}
