/** What operators ask of a projection: system facts in a tenant's log, or in the platform's for all tenants. */
import type { EventRow } from "../event/index.js";
import { EventplaneError, PLATFORM_TENANT_ID, type TenantId } from "../kernel/index.js";
import type { LogReader } from "../store/index.js";

/** Requests as types of system facts; the stream is (`projection`, name of the projection). */
export const projectionRequests = {
  pause: "projection.paused",
  resume: "projection.resumed",
  reset: "projection.reset",
  rebuild: "projection.rebuild-requested",
  verify: "projection.verify-requested",
} as const;
/** One of {@link projectionRequests}. */
export type ProjectionRequest = keyof typeof projectionRequests;

/** A request with its place in its stream. */
export interface PlacedRequest {
  readonly request: ProjectionRequest;
  readonly version: number;
}

const byType: ReadonlyMap<string, ProjectionRequest> = new Map(
  Object.entries(projectionRequests).map(([request, type]) => [type, request as ProjectionRequest]), // its own keys
);
const requestsPerRead = 1_000;

/** The requests of one tenant, or of the platform, that came after a version of their stream, in order. */
export async function requestsAfter(
  reader: LogReader,
  {
    tenantId,
    projection,
    version,
  }: { readonly tenantId: TenantId; readonly projection: string; readonly version: number },
): Promise<readonly PlacedRequest[]> {
  const stream = { aggregateType: "projection", aggregateId: projection };
  const rows = await reader.readStream(tenantId, stream, { afterVersion: version, limit: requestsPerRead });
  return rows.map((row) => ({ request: requestOf(row), version: row.version }));
}

/** The requests for all tenants, read as they come; whether all tenants pause is what they come to. */
export class PlatformRequests {
  readonly #reader: LogReader;
  readonly #projection: string;
  readonly #requests: PlacedRequest[] = [];

  constructor(reader: LogReader, projection: string) {
    this.#reader = reader;
    this.#projection = projection;
  }

  /** Reads all that is new. */
  async read(): Promise<void> {
    for (let isMore = true; isMore; ) {
      const from = { tenantId: PLATFORM_TENANT_ID, projection: this.#projection, version: this.version };
      const news = await requestsAfter(this.#reader, from);
      this.#requests.push(...news.filter(({ version }) => version > this.version));
      isMore = news.length === requestsPerRead;
    }
  }

  /** Version of the last one in their stream; 0 before the first. */
  get version(): number {
    return this.#requests.at(-1)?.version ?? 0;
  }

  get requests(): readonly PlacedRequest[] {
    return this.#requests;
  }

  get isPaused(): boolean {
    const last = this.#requests.findLast(({ request }) => request === "pause" || request === "resume");
    return last?.request === "pause";
  }
}

function requestOf({ type, tenantId, position }: EventRow): ProjectionRequest {
  const request = byType.get(type);
  if (request !== undefined) return request;
  throw new EventplaneError(
    "event_corrupt",
    `Position ${position} of ${tenantId === PLATFORM_TENANT_ID ? "the platform" : `tenant ${tenantId}`} asks something of a projection that this package does not know.`,
    { details: { tenantId, position } },
  );
}
