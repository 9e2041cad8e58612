/**
 * What happened to repositories: every webhook delivery of GitHub is recorded as it came, the latest one is the spec.
 *
 * The publisher validates payloads against `@octokit/webhooks-schemas` and says whether they conform (see deliveries.ts);
 * here they are open. GitHub may also deliver them itself, signed: the source `github`. The projection `repository_activity` counts deliveries by event and keeps the latest one of each repository.
 */
import {
  counter,
  defineAggregate,
  defineApp,
  defineController,
  defineProjection,
  defineSource,
  done,
  githubWebhooks,
  groupBy,
  latest,
} from "eventplane";
import { Type } from "typebox";
import { owner, type Payload, payloadValidator } from "./deliveries.js";

export const repository = defineAggregate("repository", {
  spec: Type.Object({
    event: Type.String({ maxLength: 64 }),
    conforms: Type.Boolean(),
    payload: Type.Object({}, { additionalProperties: true }),
  }),
  status: { activity: Type.Object({ event: Type.String(), action: Type.String() }) },
  intents: {
    "record-delivery": {
      replaces: true,
      expectedVersion: "any",
      // GitHub's own deliveries hold pre-signed URLs, which name the id of a key and no secret.
      allowSecrets: ["aws-access-key-id"],
    },
  },
});

export const activity = defineController({
  name: "activity",
  watches: repository,
  reconcile({ resource }) {
    const { action } = resource.spec.payload;
    return done({ event: resource.spec.event, action: typeof action === "string" ? action : "none" });
  },
});

/** What came, how often, and what came last for each repository, organization or installation. */
export const repositoryActivity = defineProjection({
  name: "repository_activity",
  from: [repository],
  tables: {
    events: counter(),
    subjects: groupBy({ by: ["kind"] }),
    last: latest(Type.Object({ event: Type.String(), conforms: Type.Boolean(), at: Type.String() })),
  },
  apply: {
    "repository.record-delivery": (
      { aggregateId, spec: { event, conforms }, recordedAt },
      { events, subjects, last },
    ) => {
      events.add(event);
      subjects.put(aggregateId, { kind: aggregateId.split("-")[0] ?? "" });
      last.set(aggregateId, { event, conforms, at: recordedAt });
    },
  },
});

let conforms: ReturnType<typeof payloadValidator> | undefined;

/**
 * GitHub itself: its signed deliveries become facts. The secret of tenant `dev` is in `GITHUB_WEBHOOK_SECRET_DEV`, each tenant has one of
 * its own; without one a tenant takes no deliveries.
 */
export const github = defineSource({
  name: "github",
  verify: githubWebhooks(),
  secrets: ({ slug }) => process.env[`GITHUB_WEBHOOK_SECRET_${slug.toUpperCase().replaceAll("-", "_")}`],
  map({ headers, body }) {
    const event = headers["x-github-event"] ?? "unknown";
    const payload = body as Payload; // what GitHub documents; nothing of it is sure
    conforms ??= payloadValidator();
    return {
      type: "repository.record-delivery",
      aggregateId: owner(payload),
      spec: { event, conforms: conforms(event, payload), payload },
    };
  },
});

export default defineApp({
  aggregates: [repository],
  controllers: [activity],
  projections: [repositoryActivity],
  sources: [github],
});
