/** The parts of an edge, made from what it was given and joined. */
import type { ChainLink } from "../event/index.js";
import { EventFactory, type EventRow, verifyLink } from "../event/index.js";
import type { TenantId } from "../kernel/index.js";
import { PositionWaits, ProjectionQueries } from "../projection/index.js";
import type { Allowances } from "../quota/index.js";
import { createLogHub } from "../store/index.js";
import { Authentication } from "./authentication.js";
import { Authorizer } from "./authz/authorizer.js";
import { takeCedar } from "./authz/cedar.js";
import { PolicyCheck } from "./authz/policy-check.js";
import { isCredentialUsable } from "./credential-usable.js";
import type { EdgeDependencies } from "./dependencies.js";
import { FailedAttempts } from "./failed-attempts.js";
import { failureFields } from "./failure-fields.js";
import { HeldBytes } from "./held-bytes.js";
import { KeyUses } from "./key-uses.js";
import { openAllowances, openLimits } from "./limits/open-limits.js";
import { PlatformAdministration } from "./platform/administration.js";
import { platformApp } from "./platform/definitions.js";
import { PlatformFold } from "./platform/fold.js";
import { PublishPipeline } from "./publish/pipeline.js";
import { gatedReader, gatedResources, gatedRows, openedResources, ReadGate } from "./read-gate.js";
import { RefusalLog } from "./refusals.js";
import type { EdgeParts } from "./routes/context.js";
import { SchemaTime } from "./schemas/schema-time.js";
import { SubscriptionHub } from "./sse/hub.js";
import { StreamTokenLog } from "./stream-tokens/stream-token-log.js";
import { TokenVerifier } from "./tokens/token-verifier.js";
import { webhookDirectory } from "./webhooks/directory.js";

/** Wrong credentials that an address, and a key id, may show in a minute. */
const failedAttemptsPerMinuteDefault = 100;

/** Makes them; nothing runs yet. */
export function assemble(given: EdgeDependencies): EdgeParts {
  const { logger, clock, reader, metrics } = given;
  const gate = new ReadGate();
  // What tenants ask for goes through the gate; the platform's fold and the tails of the logs must never wait behind it.
  const resources = openedResources(gatedResources(given.resources, gate), given.personal);
  const dependencies = { ...given, reader: gatedReader(reader, gate), resources };
  const platform = platformFold(given);
  const cedar = takeCedar();
  const authorizer = new Authorizer({
    cedar,
    policies: platform.state.policies,
    report: (failure, { rulingId, policySetHash }) =>
      logger.error({ failure, rulingId, policySetHash }, "The policies could not decide; the request was denied."),
  });
  const factory = new EventFactory({ app: platformApp, ids: dependencies.ids });
  const refusals = new RefusalLog({
    ...dependencies,
    authorizer,
    factory,
    report: (failure) => logger.warn(failureFields(failure), "Refusals could not be written and stay counted."),
  });
  const streamTokens = new StreamTokenLog({
    ...dependencies,
    factory,
    report: (failure) =>
      logger.warn(failureFields(failure), "Minted stream tokens could not be told of and stay counted."),
  });
  const hub = subscriptionHub(given, { reader: dependencies.reader, platform, authorizer });
  const shared = openAllowances(given);
  const limits = openLimits(given, { platform, allowances: shared });
  const pipeline = new PublishPipeline({
    ...dependencies,
    limits,
    authorizer,
    refusals,
    schemas: platform.state.schemas,
    onSecret: (rule) => metrics.secretRefused(rule),
  });
  const administration = new PlatformAdministration({ ...dependencies, platform, authorizer });
  const position = (tenantId: TenantId): Promise<number> => resources.position(tenantId);
  const positions = new PositionWaits({ clock, what: "The resources", position });
  const queries = new ProjectionQueries({ app: given.app, rows: gatedRows(given.projections.rows, gate), clock });
  return {
    ...dependencies,
    platform,
    ...authenticationParts(given, { platform, shared }),
    authorizer,
    policyCheck: new PolicyCheck(cedar),
    cedar,
    limits,
    refusals,
    streamTokens,
    pipeline,
    administration,
    hub,
    directory: webhookDirectory({ ...given, platform, authorizer }),
    positions,
    queries,
    schemaTime: new SchemaTime(given.clock),
    unsent: new HeldBytes("Clients of this tenant have not taken the answers that they asked for."),
    unproven: new HeldBytes("Deliveries for this tenant are coming as much as is held at once. Send them again later."),
    coming: new HeldBytes("Clients of this tenant are sending as much as is held at once. Send the rest after it."),
  };
}

function platformFold(given: EdgeDependencies): PlatformFold {
  const { logger, clock, reader, doorbell } = given;
  return new PlatformFold({
    reader,
    doorbell,
    clock,
    verify: chainVerification(given),
    report: (failure) => {
      if (failure === undefined) logger.info({}, "The platform log is followed again.");
      else
        logger.error(failureFields(failure), "The platform log cannot be followed; requests are refused until it can.");
    },
  });
}

/** Who asks, and which keys were used. */
function authenticationParts(
  given: EdgeDependencies,
  { platform, shared }: { readonly platform: PlatformFold; readonly shared: Allowances },
): Pick<EdgeParts, "authentication" | "keyUses"> {
  const { clock, ids, logger } = given;
  const keyUses = new KeyUses({
    ...given,
    factory: new EventFactory({ app: platformApp, ids }),
    platform,
    report: (failure) => logger.warn(failureFields(failure), "Uses of keys could not be written and stay noted."),
  });
  const onUse = (keyId: string): void => keyUses.note(keyId);
  const failures = new FailedAttempts({
    allowances: shared,
    clock,
    perMinute: given.failedAttemptsPerMinute ?? failedAttemptsPerMinuteDefault,
    onLimited: (network) =>
      logger.warn({ network }, "Too many wrong credentials: further ones from there are refused for a while."),
  });
  const tokens = tokenVerifier(given);
  return {
    authentication: new Authentication({ platform, keys: given.keys, clock, tokens, failures, onUse }),
    keyUses,
  };
}

function tokenVerifier({ app, clock, logger }: EdgeDependencies): TokenVerifier {
  return new TokenVerifier(app.issuers ?? new Map(), {
    clock,
    report: (issuer, failure) => {
      if (failure === undefined) logger.info({ issuer }, "The keys of an issuer of tokens can be read again.");
      else logger.warn({ issuer, ...failureFields(failure) }, "The keys of an issuer of tokens cannot be read.");
    },
  });
}

/** The tail of each log is read beside the gate, what subscribers catch up on through it. */
function subscriptionHub(
  { reader, doorbell, clock, logger, metrics, personal }: EdgeDependencies,
  { reader: gated, platform, authorizer }: Pick<EdgeParts, "reader" | "platform" | "authorizer">,
): SubscriptionHub {
  const { state } = platform;
  return new SubscriptionHub({
    reader: gated,
    log: createLogHub({ reader, doorbell, clock }),
    clock,
    open: (tenantId, rows) => personal.openRows(tenantId, rows),
    mayDeliver: () => platform.isFresh,
    isUsable: (principal) => isCredentialUsable(principal, state, clock.nowUs()),
    policies: {
      hash: ({ principal, tenantId }) => state.policies.policySet(principal, tenantId).hash,
      allow: ({ principal, tenantId, resource }) =>
        authorizer.rule(principal, "Subscribe", { tenantId, resource }).allowed,
    },
    report: (failure) =>
      logger.warn(failureFields(failure), "The end of a tenant's log could not be read for its subscribers."),
    onChange: (change) => metrics.sseConnections(change),
    onCut: (code) => metrics.subscriberCut(code),
  });
}

/** Every event of the platform must be proven and continue the chain. */
function chainVerification({ verifier }: EdgeDependencies): (row: EventRow) => void {
  let link: ChainLink | undefined;
  return (row) => {
    verifier.verify(row);
    link = verifyLink(row, link);
  };
}
