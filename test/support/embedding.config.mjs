/** The application of a process that opens a plane itself. */
import { defineAggregate, defineApp, defineController, done } from "eventplane";

const job = defineAggregate("job", {
  spec: { type: "object", properties: { mode: { type: "string" } } },
  intents: { create: { creates: true } },
});
const worker = defineController({
  name: "worker",
  watches: job,
  timeoutMs: 2_000,
  reconcile({ resource }) {
    while (resource.spec.mode === "hangs");
    return done();
  },
});

export default defineApp({ aggregates: [job], controllers: [worker] });
