/**
 * Text that cannot play tricks on a terminal or a log (ATTACKS 18): one entry stays one line and looks like what it is.
 */

/**
 * Controls (C0, DEL, C1), line and paragraph separators, bidirectional controls and marks (UAX #9), zero-width and invisible
 * characters, interlinear anchors, the byte order mark, tags (U+E0000 …) and halves of surrogate pairs.
 */
const unsafe =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\ud800-\udfff\u{e0000}-\u{e007f}]/gu;

const named: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t", "\u001b": "\\e" };

/**
 * Makes everything that could move the cursor, break the line, colour, hide or reorder text visible as an escape.
 *
 * `"a\nb"` becomes the six characters `a\nb` with a visible backslash; ESC is `\e`, others are `\u{…}`. A backslash that was there
 * stays as it is: the result is for eyes, it is not decoded again.
 */
export function terminalSafe(text: string): string {
  return text.replace(unsafe, (found) => named[found] ?? `\\u{${(found.codePointAt(0) ?? 0).toString(16)}}`);
}
