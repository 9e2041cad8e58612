/**
 * All that the plane runs: what each organization should have, and what makes it so.
 *
 * `npx eventplane dev` runs it and loads it again whenever it is saved.
 */
import {
  blocked,
  defineAggregate,
  defineApp,
  defineController,
  defineWorker,
  done,
  pending,
  TryAgainError,
} from "eventplane";
import { Type } from "typebox";

const Plan = Type.Union([Type.Literal("free"), Type.Literal("team")]);

export const organization = defineAggregate("organization", {
  spec: Type.Object({ name: Type.String({ minLength: 1, maxLength: 80 }), plan: Plan }),
  status: {
    quota: Type.Object({ members: Type.Integer() }),
    welcome: Type.Object({ messageId: Type.String() }),
  },
  intents: {
    create: { creates: true },
    "change-plan": { schema: Type.Object({ plan: Plan }) },
    delete: { deletes: true },
  },
});

/** Members that each plan may invite. */
const members = { free: 3, team: 25 } as const;

/** Pure: it decides from the resource alone, and is run again whenever something happens to it. */
export const quota = defineController({
  name: "quota",
  watches: organization,
  reconcile: ({ resource }) => done({ members: members[resource.spec.plan] }),
});

/** Calls the world outside. It may run again with the same `idempotencyKey`, so give that to the service that it calls. */
export const mailer = defineWorker({
  name: "mailer",
  input: Type.Object({ organization: Type.String() }),
  output: Type.Object({ messageId: Type.String() }),
  async run({ input, idempotencyKey, signal }) {
    const url = process.env["MAIL_URL"];
    if (url === undefined) return { messageId: `printed-${idempotencyKey}` };
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", "idempotency-key": idempotencyKey },
      body: JSON.stringify(input),
      signal,
    });
    if (!response.ok) throw new TryAgainError(`The mail service answered ${response.status}`);
    return { messageId: String(response.headers.get("x-message-id")) };
  },
});

export const welcome = defineController({
  name: "welcome",
  watches: organization,
  reconcile({ resource, effects }) {
    if (resource.lifecycle === "deleting") return done();
    const mail = effects.get(mailer, { organization: resource.aggregateId });
    if (mail.failed) return blocked("MailRefused", mail.failed.message);
    return mail.ok ? done({ messageId: mail.ok.messageId }) : pending();
  },
});

export default defineApp({ aggregates: [organization], controllers: [quota, welcome], workers: [mailer] });
