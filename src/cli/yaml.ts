/** JSON values as YAML 1.2 that reads back as the same value: block style, every text that could be anything else quoted. */

const indent = "  ";
/** Plain scalars that no YAML version takes for a number, a date, a boolean or syntax. */
const plain = /^[A-Za-z_/][A-Za-z0-9_./-]*(?: [A-Za-z0-9_./-]+)*$/;
const words: ReadonlySet<string> = new Set(["true", "false", "yes", "no", "on", "off", "null", "y", "n"]);

/** The value as YAML lines without an end of line at the end. */
export function toYaml(value: unknown): string {
  return blockOf(JSON.parse(JSON.stringify(value ?? null)), "").join("\n");
}

function blockOf(value: unknown, prefix: string): string[] {
  if (Array.isArray(value)) return value.length === 0 ? ["[]"] : value.flatMap((each) => itemOf(each, prefix));
  if (typeof value === "object" && value !== null) {
    const members = Object.entries(value);
    return members.length === 0 ? ["{}"] : members.flatMap(([name, each]) => memberOf(name, each, prefix));
  }
  return [scalarOf(value)];
}

function memberOf(name: string, value: unknown, prefix: string): string[] {
  const key = `${prefix}${scalarOf(name)}:`;
  if (!isNested(value)) return [`${key} ${blockOf(value, "")[0] ?? ""}`];
  return [key, ...blockOf(value, prefix + indent)];
}

function itemOf(value: unknown, prefix: string): string[] {
  if (!isNested(value)) return [`${prefix}- ${blockOf(value, "")[0] ?? ""}`];
  const [first = "", ...rest] = blockOf(value, prefix + indent);
  return [`${prefix}- ${first.slice(prefix.length + indent.length)}`, ...rest];
}

function isNested(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length > 0;
}

/** JSON strings are YAML double-quoted scalars; JSON.stringify leaves some unsafe characters, so they become escapes. */
function scalarOf(value: unknown): string {
  if (typeof value !== "string") return JSON.stringify(value);
  if (plain.test(value) && !words.has(value.toLowerCase())) return value;
  return escapeUnsafe(JSON.stringify(value));
}

/** JSON text whose strings hold nothing that could play tricks on a terminal; the value stays the same. */
export function escapeUnsafe(json: string): string {
  return json.replace(
    /[\u007f-\u009f\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu,
    (found) =>
      [...Array(found.length).keys()].map((at) => `\\u${found.charCodeAt(at).toString(16).padStart(4, "0")}`).join(""),
  );
}
