/** Whether this process has more work than it can do. */
import underPressure from "@fastify/under-pressure";
import type { FastifyInstance } from "fastify";

/** From where on requests are refused. */
export interface LoadBounds {
  /** Mean delay of the event loop over a second, milliseconds; default 1,000. */
  readonly eventLoopDelayMsMax?: number;
  /** Default 1.5 GB. */
  readonly heapBytesMax?: number;
}

const eventLoopDelayMsMax = 1_000;
const heapBytesMax = 1_500_000_000;

/**
 * Measures event loop and heap, about once a second, until the server is closed.
 *
 * The plugin's own hook would put together the description of the route for every request, at the cost of a twentieth of it.
 * It stays in a context without routes; only its verdict is asked for.
 *
 * @returns whether a bound was passed when it was measured last
 */
export async function watchLoad(server: FastifyInstance, bounds: LoadBounds): Promise<() => boolean> {
  let isOverloaded = (): boolean => false;
  await server.register(async (context) => {
    await context.register(underPressure, {
      maxEventLoopDelay: bounds.eventLoopDelayMsMax ?? eventLoopDelayMsMax,
      maxHeapUsedBytes: bounds.heapBytesMax ?? heapBytesMax,
    });
    isOverloaded = () => context.isUnderPressure();
  });
  return () => isOverloaded();
}
