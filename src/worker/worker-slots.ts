/** How many calls of one worker run in this process, and how many more may. */
import { effectComponent, type WorkerDefinition } from "../event/index.js";
import { Breaker, type Clock } from "../kernel/index.js";

/** The concurrency limit of a worker together with its breaker. */
export class WorkerSlots {
  readonly worker: WorkerDefinition;
  /** Of its rows. */
  readonly component: string;
  readonly #breaker: Breaker;
  #running = 0;

  constructor(worker: WorkerDefinition, clock: Pick<Clock, "monotonicMs">) {
    this.worker = worker;
    this.component = effectComponent("result", worker.name);
    this.#breaker = new Breaker(worker.breaker, clock);
  }

  /** Calls under way. */
  get running(): number {
    return this.#running;
  }

  /** Calls that may begin now. */
  get room(): number {
    return Math.max(0, Math.min(this.worker.concurrency - this.#running, this.#breaker.room));
  }

  get isBreakerOpen(): boolean {
    return this.#breaker.isOpen;
  }

  /** Monotonic time when a breaker that holds everything back lets one try. */
  get triesAtMs(): number | undefined {
    return this.#breaker.triesAtMs;
  }

  begin(): void {
    this.#running += 1;
    this.#breaker.begin();
  }

  /** @param answered whether the service answered; undefined when it was not called */
  end(answered: boolean | undefined): void {
    this.#running -= 1;
    if (answered === undefined) this.#breaker.forget();
    else if (answered) this.#breaker.succeed();
    else this.#breaker.fail();
  }
}
