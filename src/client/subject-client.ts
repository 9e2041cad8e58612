/** Data subjects over HTTP: whose personal data a tenant has encrypted, and their erasure. */
import type { ClientTransport } from "./transport.js";

/** A data subject. */
export type SubjectInfo =
  | { readonly subject: string; readonly state: "kept"; readonly keyId: string; readonly kekId: string }
  | {
      readonly subject: string;
      readonly state: "erased";
      readonly erasedAt: string;
      readonly eventId: string;
      readonly position: number;
    };

/** What became of an erasure. */
export interface ErasureInfo {
  /** Of `subject.erased`. */
  readonly receipt: { readonly id: string; readonly position: number; readonly recordedAt: string };
  /** The subject had been erased before. */
  readonly repeated: boolean;
}

interface OfTenant {
  readonly tenant?: string;
  readonly signal?: AbortSignal;
}

const path = "/v1/admin/subjects";

/** Needs a key with the grant `admin`. Every method throws the problem that the edge answered. */
export class SubjectClient {
  readonly #transport: ClientTransport;

  constructor(transport: ClientTransport) {
    this.#transport = transport;
  }

  /** Those with a key, by name; all pages. */
  kept(options: OfTenant = {}): AsyncGenerator<SubjectInfo> {
    return this.#pages(path, options);
  }

  /** Those that were erased, in that order; all pages. */
  erased(options: OfTenant = {}): AsyncGenerator<SubjectInfo> {
    return this.#pages(`${path}/erased`, options);
  }

  /** One. */
  async get(subject: string, { tenant, signal }: OfTenant = {}): Promise<SubjectInfo> {
    const { body } = await this.#transport.send({ path: pathOf(subject), query: { tenant }, repeatable: true, signal });
    return body as SubjectInfo; // the route's answer
  }

  /** Destroys the key of a subject, for ever. Again is harmless. */
  async erase(subject: string, { tenant, signal }: OfTenant = {}): Promise<ErasureInfo> {
    const { body, headers } = await this.#transport.send({
      method: "POST",
      path: `${pathOf(subject)}/erase`,
      query: { tenant },
      repeatable: true,
      signal,
    });
    const { receipt } = body as Pick<ErasureInfo, "receipt">; // the route's answer
    return { receipt, repeated: headers.get("idempotent-replayed") === "true" };
  }

  async *#pages(address: string, { tenant, signal }: OfTenant): AsyncGenerator<SubjectInfo> {
    for (let after: string | undefined; ; ) {
      const query = { tenant, after };
      const { body } = await this.#transport.send({ path: address, query, repeatable: true, signal });
      const page = body as { readonly subjects: readonly SubjectInfo[]; readonly next: string | number | null }; // the route's answer
      yield* page.subjects;
      if (page.next === null) return;
      after = String(page.next);
    }
  }
}

function pathOf(subject: string): string {
  return `${path}/${encodeURIComponent(subject)}`;
}
