/** Keyed execution: tasks of one key one after another in order of arrival, different keys at once. */

/** Lanes come and go with their tasks; how many tasks there are is limited by whoever adds them. */
export class Lanes<Task> {
  readonly #run: (task: Task, next: () => Task | undefined) => Promise<void>;
  readonly #queues = new Map<string, Task[]>();
  readonly #running = new Set<Promise<void>>();

  /** @param run works on a task and on those that `next` gives after it, in order; it must not throw */
  constructor(run: (task: Task, next: () => Task | undefined) => Promise<void>) {
    this.#run = run;
  }

  /** Adds a task behind those of the same key; starts at once when there is none. */
  add(key: string, task: Task): void {
    const queue = this.#queues.get(key);
    if (queue !== undefined) {
      queue.push(task);
      return;
    }
    const fresh: Task[] = [];
    this.#queues.set(key, fresh);
    const lane = this.#work(key, task).finally(() => this.#running.delete(lane));
    this.#running.add(lane);
  }

  async #work(key: string, first: Task): Promise<void> {
    const queue = this.#queues.get(key);
    try {
      for (let task: Task | undefined = first; task !== undefined; task = queue?.shift()) {
        await this.#run(task, () => queue?.shift());
      }
    } finally {
      this.#queues.delete(key);
    }
  }

  /** Takes back the tasks that have not started. */
  takeWaiting(): Task[] {
    return [...this.#queues.values()].flatMap((queue) => queue.splice(0));
  }

  /** Resolves when all lanes are empty. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }
}
