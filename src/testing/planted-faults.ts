/** Faults that a test plants: each strikes the next `times` times that it can. */

/**
 * What may go wrong.
 *
 * - a worker `fails`: nothing was done outside, and it says so (TryAgainError); its fake is not called.
 * - its outcome is `unknown`: the fake is called, its answer is lost.
 * - it `hangs`: the fake is not called, and nothing comes until the worker's time-out.
 * - an append `losesLease`: another process took the row meanwhile; nothing is added, and the row is due again when its
 *   lease ends (30 s).
 * - the process `diesBeforeCommit` or `diesAfterCommit` of an append of controllers or workers. A new one starts at once;
 *   what the dead one had leased is due again when its lease ends.
 */
export type PlantedFault = { readonly times?: number } & (
  | { readonly worker: string; readonly fault: WorkerFault }
  | { readonly append: "losesLease" }
  | { readonly process: ProcessFault }
);

/** See {@link PlantedFault}. */
export type WorkerFault = "fails" | "unknown" | "hangs";
/** See {@link PlantedFault}. */
export type ProcessFault = "diesBeforeCommit" | "diesAfterCommit";

/** The faults that have not struck yet, in the order in which they were planted. */
export class PlantedFaults {
  readonly #standing: { readonly fault: PlantedFault; left: number }[] = [];

  plant(fault: PlantedFault): void {
    this.#standing.push({ fault, left: fault.times ?? 1 });
  }

  /** Those that have not struck, for the end of a test. */
  get left(): readonly PlantedFault[] {
    return this.#standing.filter(({ left }) => left > 0).map(({ fault }) => fault);
  }

  /** The fault that strikes this call of a worker. */
  takeOfWorker(worker: string): WorkerFault | undefined {
    const fault = this.#take((planted) => "worker" in planted && planted.worker === worker);
    return fault !== undefined && "worker" in fault ? fault.fault : undefined;
  }

  /** Whether this append loses its lease. */
  takeOfAppend(): boolean {
    return this.#take((planted) => "append" in planted) !== undefined;
  }

  /** Whether the process dies here. */
  takeOfProcess(at: ProcessFault): boolean {
    return this.#take((planted) => "process" in planted && planted.process === at) !== undefined;
  }

  #take(isMeant: (fault: PlantedFault) => boolean): PlantedFault | undefined {
    const found = this.#standing.find(({ fault, left }) => left > 0 && isMeant(fault));
    if (found !== undefined) found.left -= 1;
    return found?.fault;
  }
}
