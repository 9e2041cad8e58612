/**
 * Many intents from one file, a bounded number at a time. Every line has an id of its own or one that follows from the file,
 * so the same file again adds nothing: what a killed run left out is all that comes.
 */
import { createHash } from "node:crypto";
import type { EventplaneClient } from "../../client/index.js";
import { EventplaneError, isEventplaneError } from "../../kernel/errors.js";
import type { ListedIntent } from "./read-intents.js";

/** What became of the lines. */
export interface LinesReport {
  readonly created: number;
  readonly repeated: number;
  /** The first {@link refusalsShown} of the refused ones. */
  readonly refusals: readonly { readonly line: number; readonly error: EventplaneError }[];
  readonly refused: number;
  /** The failure that ended the run early; what came before it is in the log. */
  readonly stoppedBy: EventplaneError | undefined;
}

/** How to publish them. */
export interface PublishLinesOptions {
  readonly concurrency: number;
  /** Distinguishes two runs that mean the same lines anew. */
  readonly run: string;
  /** Called after each line. */
  readonly onLine: () => void;
}

const refusalsShown = 10;

/** Publishes the lines. Those of one resource keep their order; a system that fails ends the run. */
export async function publishLines(
  client: EventplaneClient,
  lines: AsyncIterable<ListedIntent>,
  options: PublishLinesOptions,
): Promise<LinesReport> {
  const work = new Publishing(client, options);
  const running = new Set<Promise<void>>();
  for await (const line of lines) {
    if (work.stoppedBy !== undefined) break;
    const task = work.publish(line).finally(() => running.delete(task));
    running.add(task);
    if (running.size >= options.concurrency) await Promise.race(running);
  }
  await Promise.all(running);
  return work;
}

class Publishing implements LinesReport {
  created = 0;
  repeated = 0;
  refused = 0;
  readonly refusals: { line: number; error: EventplaneError }[] = [];
  stoppedBy: EventplaneError | undefined;
  readonly #client: EventplaneClient;
  readonly #options: PublishLinesOptions;
  readonly #tails = new Map<string, Promise<void>>();

  constructor(client: EventplaneClient, options: PublishLinesOptions) {
    this.#client = client;
    this.#options = options;
  }

  async publish(listed: ListedIntent): Promise<void> {
    const key = streamOf(listed);
    if (key === undefined) return this.#publishNow(listed);
    const own = (this.#tails.get(key) ?? Promise.resolve()).then(() => this.#publishNow(listed));
    this.#tails.set(key, own);
    await own;
    if (this.#tails.get(key) === own) this.#tails.delete(key);
  }

  async #publishNow({ line, text, intent }: ListedIntent): Promise<void> {
    if (this.stoppedBy !== undefined) return;
    try {
      if (intent instanceof EventplaneError) throw intent;
      const byFile = intent.id === undefined ? { idempotencyKey: keyOf(this.#options.run, line, text) } : {};
      const { repeated } = await this.#client.publish(intent, byFile);
      if (repeated) this.repeated += 1;
      else this.created += 1;
    } catch (error) {
      if (!isEventplaneError(error)) throw error;
      if (endsRun(error)) this.stoppedBy ??= error;
      else this.#refuse(line, error);
    }
    this.#options.onLine();
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

function streamOf({ intent }: ListedIntent): string | undefined {
  if (intent instanceof EventplaneError || typeof intent.aggregateId !== "string") return undefined;
  return `${String(intent.type).split(".", 1)[0]}/${intent.aggregateId}`;
}

/** The same for the same text on the same line. */
function keyOf(run: string, line: number, text: string): string {
  const hash = createHash("sha256").update(`eventplane.line.v1\n${run}\n${line}\n${text.trim()}`).digest("base64url");
  return `line-${line}-${hash}`;
}
