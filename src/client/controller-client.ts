/** Controllers over living resources, over HTTP. */
import type { ClientTransport } from "./transport.js";

/** A controller, in one tenant. */
export interface ControllerInfo {
  readonly name: string;
  /** The aggregate that it watches; null when it is not in the configuration of the edge. */
  readonly watches: string | null;
  /** False: nothing of this edge's version runs it; only its rows are left. */
  readonly inConfiguration: boolean;
  /** Resources that it has to look at, now or later. */
  readonly waiting: number;
  readonly deadLetters: number;
  /** How long the oldest of the waiting is due. */
  readonly oldestSeconds: number;
}

/** What a backfill or a retirement is about. */
export interface ControllerChangeInfo {
  readonly controller: string;
  readonly change: "backfill" | "retire";
  readonly tenantId: string;
  /** Living resources: of a backfill all, of a retirement those that wait for the controller. */
  readonly resources: number;
  readonly dryRun: boolean;
}

interface OfTenant {
  readonly tenant?: string;
  readonly signal?: AbortSignal;
}

const path = "/v1/admin/controllers";

/** Needs a key with the grant `admin`. Every method throws the problem that the edge answered. */
export class ControllerClient {
  readonly #transport: ClientTransport;

  constructor(transport: ClientTransport) {
    this.#transport = transport;
  }

  /** Those of the configuration, and those of which something is left; by default in the key's own tenant. */
  async list({ tenant, signal }: OfTenant = {}): Promise<readonly ControllerInfo[]> {
    const { body } = await this.#transport.send({ path, query: { tenant }, repeatable: true, signal });
    return (body as { readonly controllers: readonly ControllerInfo[] }).controllers; // the route's answer
  }

  /** Lets a controller look at every living resource once. Again and again the same. */
  backfill(name: string, options: OfTenant & { readonly dryRun?: boolean } = {}): Promise<ControllerChangeInfo> {
    return this.#change(name, "backfill", options);
  }

  /** Completes what resources wait for in vain, because no configuration has the controller any more. Again and again the same. */
  retire(
    name: string,
    options: OfTenant & { readonly dryRun?: boolean; readonly reason?: string } = {},
  ): Promise<ControllerChangeInfo> {
    return this.#change(name, "retire", options);
  }

  async #change(
    name: string,
    change: ControllerChangeInfo["change"],
    { tenant, signal, ...body }: OfTenant & { readonly dryRun?: boolean; readonly reason?: string },
  ): Promise<ControllerChangeInfo> {
    const answer = await this.#transport.send({
      method: "POST",
      path: `${path}/${encodeURIComponent(name)}/${change}`,
      query: { tenant },
      body,
      repeatable: true,
      signal,
    });
    return answer.body as ControllerChangeInfo; // the route's answer
  }
}
