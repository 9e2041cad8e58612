/**
 * What happened to repositories: every webhook delivery of GitHub is recorded as it came, the latest one is the spec.
 *
 * The publisher validates payloads against `@octokit/webhooks-schemas` and says whether they conform (see deliveries.ts);
 * here they are open.
 */
import { defineAggregate, defineApp, defineController, done } from "eventplane";
import { Type } from "typebox";

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

export default defineApp({ aggregates: [repository], controllers: [activity] });
