/** Policies over HTTP: what a tenant, or the platform for all, has; applied, looked back at, brought back. */
import type { ClientTransport } from "./transport.js";

/** Policies as they are in force. */
export interface PolicyInfo {
  readonly tenantId: string;
  /** 0 when nobody ever applied any. */
  readonly version: number;
  /** A policy file: Cedar text. */
  readonly text: string;
  readonly appliedAt: string | null;
  /** Of all that rules on the tenant's principals, the base included; stands in stamps. */
  readonly policySetHash: string;
}

/** One version without its text. */
export interface PolicyVersionInfo {
  readonly version: number;
  /** In the platform's log. */
  readonly eventId: string;
  readonly appliedAt: string;
  readonly principal: { readonly type: string; readonly id: string };
  /** The version whose text it brought back. */
  readonly restores?: number;
}

/** What a ruling of the past was, or would be. */
export interface RulingView {
  readonly decision: "allow" | "deny";
  /** Those that decided. */
  readonly policies: readonly string[];
}

/** A question that the log holds, and that would be answered otherwise. */
export interface PolicyChange {
  readonly principal: { readonly type: string; readonly id: string; readonly grants: readonly string[] };
  readonly action: string;
  /** `tenant`, or a part of it: `type:…`, `aggregate:…`, `projection:…`, `area:…`. */
  readonly resource: string;
  readonly before: RulingView;
  readonly after: RulingView;
  /** How many of the events that were looked at hold it, and the latest of them. */
  readonly events: number;
  readonly lastEventId: string;
  readonly lastAt: string;
}

/** What policies would change. */
export interface PolicyTest {
  readonly tenantId: string;
  /** Ids of the file's policies. */
  readonly policies: readonly string[];
  readonly warnings: readonly string[];
  /** Events with a ruling that were looked at, the different rulings among them, and those whose question is not known. */
  readonly events: number;
  readonly rulings: number;
  readonly unknown: number;
  /** The latest first; at most 200. */
  readonly changes: readonly PolicyChange[];
  readonly changesLeftOut: number;
}

/** A ruling of the past, made again from the log. */
export interface RulingExplanation {
  /** The event that it is recorded in; of a derived event the one that it followed from. */
  readonly eventId: string;
  readonly type: string;
  readonly position: number;
  readonly at: string;
  /** What the event holds. */
  readonly recorded: {
    readonly rulingId: string;
    readonly policySetHash: string;
    readonly policies: readonly string[];
    readonly principal: { readonly type: string; readonly id: string };
    readonly via: string;
  };
  /** Why it cannot be made again; then what follows is missing, or a part of it. */
  readonly unexplained?: string;
  readonly question?: {
    readonly principal: {
      readonly type: string;
      readonly id: string;
      readonly tenantId: string;
      readonly grants: readonly string[];
    };
    readonly action: string;
    readonly tenantId: string;
    readonly resource: string;
  };
  readonly decision?: "allow" | "deny";
  readonly decidedBy?: readonly { readonly id: string; readonly text: string }[];
  /** The versions that made the policy set; 0: none. */
  readonly platformVersion?: number;
  readonly tenantVersion?: number;
  readonly note?: string | null;
}

interface OfTenant {
  readonly tenant?: string;
  readonly signal?: AbortSignal;
}

const path = "/v1/admin/policies";

/** Needs a key that may administer the area policies. Every method throws the problem that the edge answered. */
export class PolicyClient {
  readonly #transport: ClientTransport;

  constructor(transport: ClientTransport) {
    this.#transport = transport;
  }

  /** Those in force; by default of the key's own tenant. */
  async get({ tenant, signal }: OfTenant = {}): Promise<PolicyInfo> {
    const { body } = await this.#transport.send({ path, query: { tenant }, repeatable: true, signal });
    return body as PolicyInfo; // the route's answer
  }

  /** The versions without their texts, newest first; at most 100. */
  async versions({ tenant, signal }: OfTenant = {}): Promise<readonly PolicyVersionInfo[]> {
    const address = `${path}/versions`;
    const { body } = await this.#transport.send({ path: address, query: { tenant }, repeatable: true, signal });
    return (body as { readonly versions: readonly PolicyVersionInfo[] }).versions; // the route's answer
  }

  /** One version with its text. */
  async version(
    version: number,
    { tenant, signal }: OfTenant = {},
  ): Promise<PolicyVersionInfo & { readonly text: string }> {
    const address = `${path}/versions/${version}`;
    const { body } = await this.#transport.send({ path: address, query: { tenant }, repeatable: true, signal });
    return body as PolicyVersionInfo & { readonly text: string }; // the route's answer
  }

  /**
   * Makes a ruling of the past again from the log, and says which policies decided.
   *
   * @param id of an event of the tenant's log, or of the ruling itself, which is looked for in the latest 5,000 events
   * @throws EventplaneError `not_found`
   */
  async explain(id: string, { tenant, signal }: OfTenant = {}): Promise<RulingExplanation> {
    const address = `${path}/rulings/${encodeURIComponent(id)}`;
    const { body } = await this.#transport.send({ path: address, query: { tenant }, repeatable: true, signal });
    return body as RulingExplanation; // the route's answer
  }

  /**
   * Says what a policy file would change of the latest rulings in the tenant's log, and applies nothing.
   *
   * @throws EventplaneError `policy_invalid`
   */
  async test(text: string, { tenant, signal }: OfTenant = {}): Promise<PolicyTest> {
    const { body } = await this.#transport.send({
      method: "POST",
      path: `${path}/dry-run`,
      query: { tenant },
      body: { text },
      repeatable: true,
      signal,
    });
    return body as PolicyTest; // the route's answer
  }

  /**
   * Puts policies in the place of those of the version `follows`; the same again has the same answer.
   *
   * @param wish a policy file, or the version whose text is brought back
   * @throws EventplaneError `policy_invalid`, `policy_locks_out`, `wrong_expected_generation` when another version is in force
   */
  async apply(
    wish: { readonly text: string } | { readonly version: number },
    { follows, tenant, signal }: OfTenant & { readonly follows: number },
  ): Promise<PolicyInfo & { readonly warnings: readonly string[] }> {
    const { body } = await this.#transport.send({
      method: "PUT",
      path,
      query: { tenant },
      body: wish,
      headers: { "if-match": `"${follows}"` },
      repeatable: true,
      signal,
    });
    return body as PolicyInfo & { readonly warnings: readonly string[] }; // the route's answer
  }
}
