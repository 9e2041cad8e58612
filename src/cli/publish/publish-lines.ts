/**
 * Many intents from one file, in lists, a bounded number at a time. Every line has an id of its own or one that follows from the
 * file, so the same file again adds nothing: what a killed run left out is all that comes.
 */
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { ClientIntent, EventplaneClient, PublishItem } from "../../client/index.js";
import { EventplaneError, isEventplaneError } from "../../kernel/errors.js";
import type { ListedIntent } from "./read-intents.js";

/** What became of the lines. */
export interface LinesReport {
  readonly created: number;
  readonly repeated: number;
  /** The first ten of the refused ones. */
  readonly refusals: readonly { readonly line: number; readonly error: EventplaneError }[];
  readonly refused: number;
  /** The failure that ended the run early; what came before it is in the log. */
  readonly stoppedBy: EventplaneError | undefined;
}

/** How to publish them. */
export interface PublishLinesOptions {
  /** Lists under way at once. */
  readonly concurrency: number;
  /** Distinguishes two runs that mean the same lines anew. */
  readonly run: string;
  /** Called after each list with the number of its lines. */
  readonly onLines: (count: number) => void;
}

const refusalsShown = 10;
const listLinesMax = 100;
const listCharactersMax = 500_000;
const attemptsMax = 5;
const retryFirstMs = 200;

/** Publishes the lines. Those of one resource keep their order; a system that fails ends the run. */
export async function publishLines(
  client: Pick<EventplaneClient, "publishMany">,
  lines: AsyncIterable<ListedIntent>,
  options: PublishLinesOptions,
): Promise<LinesReport> {
  const work = new Publishing(client, options);
  for await (const list of listsOf(lines)) {
    if (work.stoppedBy !== undefined) break;
    await work.start(list);
  }
  await work.finish();
  return work;
}

async function* listsOf(lines: AsyncIterable<ListedIntent>): AsyncGenerator<readonly ListedIntent[]> {
  let list: ListedIntent[] = [];
  let characters = 0;
  for await (const line of lines) {
    if (list.length === listLinesMax || (list.length > 0 && characters + line.text.length > listCharactersMax)) {
      yield list;
      list = [];
      characters = 0;
    }
    list.push(line);
    characters += line.text.length;
  }
  if (list.length > 0) yield list;
}

class Publishing implements LinesReport {
  created = 0;
  repeated = 0;
  refused = 0;
  readonly refusals: { line: number; error: EventplaneError }[] = [];
  stoppedBy: EventplaneError | undefined;
  readonly #client: Pick<EventplaneClient, "publishMany">;
  readonly #options: PublishLinesOptions;
  /** Lists under way with the resources that they name. */
  readonly #running = new Map<Promise<void>, ReadonlySet<string>>();

  constructor(client: Pick<EventplaneClient, "publishMany">, options: PublishLinesOptions) {
    this.#client = client;
    this.#options = options;
  }

  /** Waits for a place, and for the lists that name a resource of this one. */
  async start(list: readonly ListedIntent[]): Promise<void> {
    const named = new Set(list.flatMap((listed) => resourceOf(listed) ?? []));
    const before = [...this.#running].filter(([, others]) => [...named].some((name) => others.has(name)));
    await Promise.all(before.map(([running]) => running));
    while (this.#running.size >= this.#options.concurrency) await Promise.race(this.#running.keys());
    const running: Promise<void> = this.#publish(list).finally(() => this.#running.delete(running));
    this.#running.set(running, named);
  }

  async finish(): Promise<void> {
    await Promise.all(this.#running.keys());
  }

  async #publish(list: readonly ListedIntent[]): Promise<void> {
    let waiting: readonly ListedIntent[] = list.filter((listed) => !this.#refuseUnread(listed));
    for (let attempt = 1; waiting.length > 0 && this.stoppedBy === undefined; attempt += 1) {
      const { again, failure } = await this.#send(waiting);
      waiting = again;
      if (failure !== undefined && (attempt === attemptsMax || !failure.retryable)) this.stoppedBy ??= failure;
      else if (failure !== undefined) await sleep(retryFirstMs * 2 ** attempt);
    }
    this.#options.onLines(list.length - waiting.length);
  }

  /** @returns the lines that found no answer, in order, and why the first of them did not */
  async #send(
    list: readonly ListedIntent[],
  ): Promise<{ readonly again: readonly ListedIntent[]; readonly failure: EventplaneError | undefined }> {
    let items: readonly PublishItem[];
    try {
      items = await this.#client.publishMany(list.map((listed) => withId(listed, this.#options.run)));
    } catch (error) {
      if (!isEventplaneError(error)) throw error;
      const [only] = list;
      if (endsRun(error) || only === undefined) {
        this.stoppedBy ??= error; // the client has tried often enough
        return { again: list, failure: error };
      }
      if (list.length > 1) return this.#sendEach(list); // one of them spoils the list
      this.#refuse(only.line, error);
      return { again: [], failure: undefined };
    }
    const failed = list.filter((listed, at) => this.#isUnanswered(listed, items[at]));
    const first = failed.length === 0 ? undefined : items[list.indexOf(failed[0] as ListedIntent)]; // there is one
    return { again: failed, failure: first?.result === "refused" ? first.error : undefined };
  }

  async #sendEach(
    list: readonly ListedIntent[],
  ): Promise<{ readonly again: readonly ListedIntent[]; readonly failure: EventplaneError | undefined }> {
    for (const [at, listed] of list.entries()) {
      const { again, failure } = await this.#send([listed]);
      if (again.length > 0) return { again: list.slice(at), failure };
    }
    return { again: [], failure: undefined };
  }

  #isUnanswered({ line }: ListedIntent, item: PublishItem | undefined): boolean {
    if (item === undefined) return true;
    if (item.result === "created") this.created += 1;
    else if (item.result !== "refused") this.repeated += 1;
    else if (endsRun(item.error)) return true;
    else this.#refuse(line, item.error);
    return false;
  }

  #refuseUnread({ line, intent }: ListedIntent): boolean {
    if (!(intent instanceof EventplaneError)) return false;
    this.#refuse(line, intent);
    return true;
  }

  #refuse(line: number, error: EventplaneError): void {
    this.refused += 1;
    if (this.refusals.length < refusalsShown) this.refusals.push({ line, error });
  }
}

/** The next line would fare the same. */
function endsRun(error: EventplaneError): boolean {
  return error.retryable || ["unauthenticated", "forbidden", "internal", "not_found"].includes(error.code);
}

function resourceOf({ intent }: ListedIntent): string | undefined {
  if (intent instanceof EventplaneError || typeof intent.aggregateId !== "string") return undefined;
  return `${String(intent.type).split(".", 1)[0]}/${intent.aggregateId}`;
}

function withId({ line, text, intent }: ListedIntent, run: string): ClientIntent {
  const read = intent as ClientIntent; // the others were refused before
  return read.id === undefined ? { ...read, id: lineId({ run, line, text }) } : read;
}

/** A UUIDv4 (RFC 9562 §5.4) whose random bits are those of a hash: the same for the same text on the same line of the same run. */
export function lineId({
  run,
  line,
  text,
}: {
  readonly run: string;
  readonly line: number;
  readonly text: string;
}): string {
  const bytes = createHash("sha256")
    .update(`eventplane.line.v1\n${JSON.stringify([run, line, text.trim()])}`)
    .digest();
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytes.toString("hex", 0, 16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
