/** Taking from several limits: of all of them, or of none. */

/** Something that tokens are taken of. */
export interface Takeable {
  /** @returns undefined when they were there; else a promise that is fulfilled when they have come. @throws from the call or the promise */
  take(tokens: number): Promise<void> | undefined;
  putBack(tokens: number): void;
}

/**
 * Takes so many of each, one after the other; what was taken is put back when a later one refuses.
 *
 * @returns undefined when they were there
 * @throws EventplaneError from the call or its promise: what the limit that refuses throws
 */
export function takeAll(limits: readonly Takeable[], tokens: number, from = 0): Promise<void> | undefined {
  const limit = limits[from];
  if (limit === undefined) return undefined;
  const waited = limit.take(tokens);
  // The last one has none after it, and most often it is the only one.
  if (from === limits.length - 1) return waited;
  const others = (): Promise<void> | undefined =>
    orElse(
      () => takeAll(limits, tokens, from + 1),
      () => limit.putBack(tokens),
    );
  return waited === undefined ? others() : waited.then(others);
}

function orElse(take: () => Promise<void> | undefined, undo: () => void): Promise<void> | undefined {
  const undone = (error: unknown): never => {
    undo();
    throw error;
  };
  try {
    return take()?.catch(undone);
  } catch (error) {
    return undone(error);
  }
}
