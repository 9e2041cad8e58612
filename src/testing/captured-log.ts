/** What a plane under test has logged. */
import type { LogFields, Logger } from "../observe/index.js";

/** One entry. */
export interface LoggedEntry {
  readonly level: "info" | "warn" | "error";
  readonly message: string;
  readonly fields: LogFields;
}

/** A log that is kept. */
export class CapturedLog {
  readonly entries: LoggedEntry[] = [];
  readonly logger: Logger = this.#child({});

  #child(common: LogFields): Logger {
    const note = (level: LoggedEntry["level"]) => (fields: LogFields, message: string) =>
      void this.entries.push({ level, message, fields: { ...common, ...fields } });
    return {
      debug: () => undefined,
      info: note("info"),
      warn: note("warn"),
      error: note("error"),
      child: (fields) => this.#child({ ...common, ...fields }),
    };
  }
}
