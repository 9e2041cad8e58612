/** Refusals of one kind: the first is told, those that follow within a minute are counted and told together. Nobody can wash a log away by being refused. */

/** What makes refusals the same. */
export interface RefusalKind {
  readonly message: string;
  readonly context: string;
  readonly principal: string | undefined;
  readonly source: string | undefined;
  readonly code: string;
}

/** Refusals that were not told one by one. */
export interface RepeatedRefusal extends RefusalKind {
  readonly repeated: number;
}

interface Tracked {
  readonly kind: RefusalKind;
  readonly fromMs: number;
  repeated: number;
}

const windowMs = 60_000;
/** Kinds that are told apart; of more, who it was is not. */
const kindsMax = 1_000;
const principalCharactersMax = 128;

/** Tells first refusals from repeated ones. */
export class RepeatedRefusals {
  readonly #tracked = new Map<string, Tracked>();

  /** Counts one. @returns whether it is the first of its minute */
  isFirst(kind: RefusalKind, nowMs: number): boolean {
    const known = this.#trackedOf({ ...kind, principal: kind.principal?.slice(0, principalCharactersMax) });
    if (known.tracked !== undefined) {
      known.tracked.repeated++;
      return false;
    }
    this.#tracked.set(known.key, { kind: known.kind, fromMs: nowMs, repeated: 0 });
    return true;
  }

  /** Ends the minutes that are over, or all without `nowMs`. @returns what was not told */
  take(nowMs: number = Number.POSITIVE_INFINITY): readonly RepeatedRefusal[] {
    const over = [...this.#tracked].filter(([, { fromMs }]) => nowMs - fromMs >= windowMs);
    for (const [key] of over) this.#tracked.delete(key);
    return over.map(([, { kind, repeated }]) => ({ ...kind, repeated })).filter(({ repeated }) => repeated > 0);
  }

  #trackedOf(kind: RefusalKind): {
    readonly key: string;
    readonly kind: RefusalKind;
    readonly tracked: Tracked | undefined;
  } {
    const key = JSON.stringify(Object.values(kind));
    const tracked = this.#tracked.get(key);
    if (tracked !== undefined || this.#tracked.size < kindsMax || kind.principal === undefined)
      return { key, kind, tracked };
    return this.#trackedOf({ ...kind, principal: undefined });
  }
}
