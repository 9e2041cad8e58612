/**
 * What must be in the platform log before anybody can be served: the introductions of this plane's signing keys, the
 * schemas of its app, and a first admin key. Every step repeats harmlessly.
 */
import { basePolicySet, issueKey, platformApp, policyBaseType, principalIdOf, stampOf } from "../edge/index.js";
import {
  type AppDefinition,
  type AppendItem,
  type CausedBy,
  EventFactory,
  type EventKind,
  type EventRow,
  introduceKey,
  introductionSpec,
  type KeyDirectory,
  type SystemFactType,
} from "../event/index.js";
import {
  type Clock,
  EventplaneError,
  formatUs,
  type IdSource,
  type JsonObject,
  PLATFORM_TENANT_ID,
  type Signer,
  sha256,
  type Tier,
  uuid8,
} from "../kernel/index.js";
import { type DeclaredVersion, type SchemaVersion, VersionBook } from "../schema/index.js";
import type { Append, AppendOutcome, LogReader } from "../store/index.js";
import { Introductions } from "./introductions.js";

/** Appends of one signing key. */
export interface SignedLog {
  append(append: Append): Promise<AppendOutcome>;
}

/** A signing key of this plane, ready to be introduced. */
export interface PlaneKey {
  readonly signer: Signer;
  /** base64url of the raw 32 bytes. */
  readonly publicKey: string;
}

/** What each tier's key may make; the verifier of every reader holds it against the introduction. */
const kindsOfTier: Readonly<Partial<Record<Tier, readonly EventKind[]>>> = {
  edge: ["intent", "fact"],
  runtime: ["intent", "fact", "internal"],
};

/** Keys are trusted from a little before their introduction, so that clocks may differ. */
const introductionLeadUs = 3_600_000_000;

/** Makes the plane's own events. */
export class Bootstrap {
  readonly #reader: LogReader;
  readonly #directory: KeyDirectory;
  readonly #clock: Clock;
  readonly #ids: IdSource;
  readonly #edgeName: string;
  readonly #factory: EventFactory;

  constructor(options: {
    readonly reader: LogReader;
    readonly directory: KeyDirectory;
    readonly clock: Clock;
    readonly ids: IdSource;
    readonly edgeName: string;
  }) {
    this.#reader = options.reader;
    this.#directory = options.directory;
    this.#clock = options.clock;
    this.#ids = options.ids;
    this.#edgeName = options.edgeName;
    this.#factory = new EventFactory({ app: platformApp, ids: options.ids });
  }

  /**
   * Trusts the keys that the root has introduced, and introduces those of `keys` that it has not, or not for all that their
   * tier makes by now.
   *
   * @param root its signer and log; absent where the root key is kept offline
   * @throws EventplaneError `key_unknown` when a key is not introduced and there is no root key to do it
   */
  async introduce(
    keys: readonly PlaneKey[],
    root: { readonly signer: Signer; readonly log: SignedLog } | undefined,
  ): Promise<void> {
    await new Introductions({ reader: this.#reader, directory: this.#directory, clock: this.#clock }).read();
    for (const key of keys) {
      const known = this.#directory.has(key.signer.keyId)
        ? this.#directory.get(key.signer.keyId).introduction
        : undefined;
      const kinds = kindsOfTier[key.signer.tier] ?? [];
      if (known !== undefined && (root === undefined || kinds.every((kind) => known.kinds.includes(kind)))) continue;
      if (root === undefined) {
        throw new EventplaneError(
          "key_unknown",
          `Signing key ${key.signer.keyId} (${key.signer.tier}) is not introduced: start once with keys/root.key in the data folder.`,
          { details: { keyId: key.signer.keyId } },
        );
      }
      const introduction = introduceKey(root.signer, {
        publicKey: key.publicKey,
        tier: key.signer.tier,
        kinds,
        from: known?.from ?? formatUs(this.#clock.nowUs() - introductionLeadUs),
        ...(known === undefined ? {} : { to: known.to }),
      });
      const fact = this.#factory.systemFact(
        {
          tenantId: PLATFORM_TENANT_ID,
          type: "signing-key.introduced",
          aggregateId: introduction.keyId,
          spec: introductionSpec(introduction),
        },
        this.#stamp(),
      );
      this.#directory.accept(introduction, await appended(root.log, fact));
    }
  }

  /**
   * Notes each schema of the app in the platform log, once for each content, if it may follow the versions before it.
   *
   * @throws EventplaneError `schema_changed`, `schema_incompatible`
   */
  async registerSchemas(app: AppDefinition, log: SignedLog): Promise<void> {
    const declared = [...app.aggregates.values()].flatMap(({ intents }) => [...intents.values()]);
    const registered = await this.#registeredSchemas();
    registered.book.check(declared);
    const items = declared.map((version) => this.#registration(version));
    const missing = items.filter(({ event }) => !registered.ids.has(event.id));
    await Promise.all(missing.map((item) => appended(log, item)));
    // Another process may have registered other schemas under the same numbers meanwhile; the first ones count.
    if (missing.length > 0) (await this.#registeredSchemas()).book.check(declared);
  }

  #registration({ type, schemaVersion, schema }: DeclaredVersion): AppendItem {
    const hash = sha256(JSON.stringify(schema)).toString("base64url");
    return this.#factory.systemFact(
      {
        tenantId: PLATFORM_TENANT_ID,
        type: schemaFactType,
        aggregateId: `${type}:${schemaVersion}`,
        spec: { type, schemaVersion, hash, schema },
        id: uuid8(PLATFORM_TENANT_ID, "schema", type, String(schemaVersion), hash),
      },
      this.#stamp(),
    );
  }

  async #registeredSchemas(): Promise<{ readonly book: VersionBook; readonly ids: ReadonlySet<string> }> {
    const [book, ids] = [new VersionBook(), new Set<string>()];
    for await (const { id, specText } of this.#facts(schemaFactType)) {
      book.add(JSON.parse(specText) as SchemaVersion); // as #registration wrote it
      ids.add(id);
    }
    return { book, ids };
  }

  /** Notes the base policies of this release in the platform log, once for each content, so that its rulings can be made again. */
  async registerBasePolicies(log: SignedLog): Promise<void> {
    const { hash, policies } = basePolicySet;
    const id = uuid8(PLATFORM_TENANT_ID, policyBaseType, hash);
    const [known] = await this.#reader.readByIds(PLATFORM_TENANT_ID, [id]);
    if (known !== undefined) return;
    const spec = { hash, policies: { ...policies } };
    const fact = this.#factory.systemFact(
      { tenantId: PLATFORM_TENANT_ID, type: policyBaseType, aggregateId: hash, spec, id },
      this.#stamp(),
    );
    await appended(log, fact);
  }

  /**
   * Makes a key of the platform tenant with the grant `admin`.
   *
   * @returns its text, shown nowhere else
   */
  async createAdminKey(log: SignedLog): Promise<string> {
    const keyId = this.#ids.uuid7();
    const { key, secretHash } = issueKey(keyId);
    const name = "admin";
    const spec: JsonObject = {
      tenantId: PLATFORM_TENANT_ID,
      name,
      principalId: principalIdOf(PLATFORM_TENANT_ID, name),
      grants: ["admin"],
      secretHash,
    };
    const request = {
      tenantId: PLATFORM_TENANT_ID,
      type: "key.create",
      aggregateId: keyId,
      spec,
      specText: JSON.stringify(spec),
    };
    await appended(log, this.#factory.intent(request, this.#stamp()));
    return key;
  }

  /** The facts of a type in the platform log, oldest first. */
  async *#facts(type: SystemFactType): AsyncGenerator<EventRow> {
    for (let after = 0; ; ) {
      const rows = await this.#reader.read(PLATFORM_TENANT_ID, { filter: { type }, after, limit: factsPage });
      yield* rows;
      const last = rows.at(-1);
      if (last === undefined || rows.length < factsPage) return;
      after = last.position;
    }
  }

  #stamp(): CausedBy {
    const requestId = this.#ids.uuid7();
    return stampOf({
      principal: { type: "system", id: "plane" },
      via: "system",
      requestId,
      ruling: { rulingId: requestId, policySetHash: basePolicySet.hash, policies: [] },
      edge: this.#edgeName,
      at: formatUs(this.#clock.nowUs()),
    });
  }
}

const factsPage = 500;
const schemaFactType = "schema.registered";

/** @returns its position */
async function appended(log: SignedLog, item: AppendItem): Promise<number> {
  const outcome = await log.append({ tenantId: item.event.tenantId, items: [item] });
  if (outcome.result === "refused") {
    throw new EventplaneError("internal", `The platform log refused ${item.event.type}: ${outcome.code}.`);
  }
  return outcome.receipts[0]?.position ?? 0;
}
