/** What the benches of the bus see of the peers. */

/** An emitter of events. */
export interface Emitter {
  on(topic: string, listener: (payload: never) => void): unknown;
  emit(topic: string, payload: object): unknown;
}

/** Does one piece of work and waits for it. */
export type Runner = (input: object) => Promise<unknown>;

/** eventemitter3. */
export function emitter(): Emitter;
/** eventemitter2 with `*` and `**`. */
export function wildcardEmitter(): Emitter;
/** Ajv with its default settings and its formats. */
export function checkOf(schema: object): (value: unknown) => boolean;
/** fastq. */
export function fastQueue(work: (input: object) => Promise<unknown>, concurrency: number): Runner;
/** p-queue. */
export function promiseQueue(work: (input: object) => Promise<unknown>, concurrency: number): Runner;
/** opossum. */
export function breaker(work: (input: object) => Promise<unknown>, timeoutMs: number): Runner;
