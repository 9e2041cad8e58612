/** What is kept of a thrown value, and may be shown. */
import { cleanText, EventplaneError } from "../kernel/index.js";

/** Name, code and text of an error, without secrets, control characters and stack. */
export interface KeptError {
  readonly name: string;
  readonly code?: string;
  readonly message: string;
}

const nameCharactersMax = 100;
const messageCharactersMax = 500;

/** What of a thrown value is kept; `clean` makes a text harmless and cuts it. Anything may be thrown, also what throws when it is looked at. */
export function keptError(
  thrown: unknown,
  clean: (text: string, charactersMax: number) => string = (text, charactersMax) => cleanText(text, charactersMax),
): KeptError {
  try {
    if (!(thrown instanceof Error))
      return { name: "NotAnError", message: `a value of type ${typeof thrown} was thrown` };
    const message = clean(thrown.message, messageCharactersMax);
    // Our own names and codes are constants, and filters go by them.
    if (thrown instanceof EventplaneError) return { name: thrown.name, code: thrown.code, message };
    const code =
      "code" in thrown && typeof thrown.code === "string" ? { code: clean(thrown.code, nameCharactersMax) } : {};
    return { name: clean(thrown.name, nameCharactersMax), ...code, message };
  } catch {
    return { name: "Unreadable", message: "what was thrown cannot be read" };
  }
}
