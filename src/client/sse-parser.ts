/** Text to the messages of an event stream (WHATWG HTML §9.2.6). */

/** One message. */
export interface SseMessage {
  readonly id: string | undefined;
  readonly event: string;
  readonly data: string;
}

/** What one message may hold before it is given up, characters. */
const messageCharactersMax = 16_777_216;

/** Takes chunks of text, cut anywhere, and gives whole messages. Comments count as a sign of life only. */
export class SseParser {
  #rest = "";
  #id: string | undefined;
  #event = "";
  #data: string[] = [];

  /**
   * The messages that this chunk completes.
   *
   * @throws RangeError when one message grows beyond 16 Mi characters
   */
  push(chunk: string): readonly SseMessage[] {
    const messages: SseMessage[] = [];
    const text = this.#rest + chunk;
    let from = 0;
    for (let end = text.indexOf("\n", from); end !== -1; end = text.indexOf("\n", from)) {
      const line = text.slice(from, text[end - 1] === "\r" ? end - 1 : end);
      from = end + 1;
      if (line === "") this.#dispatch(messages);
      else this.#line(line);
    }
    this.#rest = text.slice(from);
    if (this.#rest.length > messageCharactersMax) throw new RangeError("A message of the event stream is too long.");
    return messages;
  }

  #line(line: string): void {
    const colon = line.indexOf(":");
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (field === "id") this.#id = value;
    else if (field === "event") this.#event = value;
    else if (field === "data") this.#data.push(value);
  }

  #dispatch(messages: SseMessage[]): void {
    if (this.#data.length > 0)
      messages.push({ id: this.#id, event: this.#event === "" ? "message" : this.#event, data: this.#data.join("\n") });
    this.#event = "";
    this.#data = [];
  }
}
