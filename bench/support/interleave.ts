/**
 * Fair comparison on a machine that others use too: contenders take turns (A B C A B C …) in many short rounds, and what
 * counts is the median of the ratios within a round. A slow moment hits neighbours alike.
 */

/** One of those who are compared. */
export interface Contender {
  readonly name: string;
  /** Does one round of work and gives how many things were done. */
  readonly round: () => Promise<number>;
}

/** What was measured of one contender. */
export interface Measured {
  readonly name: string;
  /** Median of the rounds. */
  readonly perSecond: number;
  /** Lowest and highest round. */
  readonly from: number;
  readonly to: number;
}

/** A comparison: the first contender is ours, the ratios are ours to theirs. */
export interface Comparison {
  readonly rounds: number;
  readonly contenders: readonly Measured[];
  /** Peer → median over the rounds of ours / theirs. */
  readonly ratios: Readonly<Record<string, number>>;
}

/** Runs one round to warm up, then `rounds` interleaved ones. The order turns with each round. */
export async function interleave(contenders: readonly Contender[], rounds: number): Promise<Comparison> {
  for (const { round } of contenders) await round();
  const speeds = contenders.map((): number[] => []);
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < contenders.length; turn++) {
      const index = (round + turn) % contenders.length;
      const started = performance.now();
      const done = (await contenders[index]?.round()) ?? 0;
      speeds[index]?.push((done / (performance.now() - started)) * 1000);
    }
  }
  const [ours = []] = speeds;
  const ratios: Record<string, number> = {};
  for (const [index, { name }] of contenders.entries()) {
    if (index === 0) continue;
    ratios[name] = median(ours.map((speed, round) => speed / (speeds[index]?.[round] ?? Number.NaN)));
  }
  const measured = contenders.map(({ name }, index) => {
    const own = speeds[index] ?? [];
    return { name, perSecond: median(own), from: Math.min(...own), to: Math.max(...own) };
  });
  return { rounds, contenders: measured, ratios };
}

/** The middle value; NaN of nothing. */
export function median(values: readonly number[]): number {
  return percentile(values, 50);
}

/** The value that `percent` of the values do not exceed (nearest rank); NaN of nothing. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const rank = Math.max(1, Math.ceil((percent / 100) * sorted.length));
  return sorted[rank - 1] ?? Number.NaN;
}
