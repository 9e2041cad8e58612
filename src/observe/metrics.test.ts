import { describe, expect, test } from "vitest";
import { createMetrics } from "./metrics.js";

describe("createMetrics", () => {
  test("reports what happened under the names of the field", async () => {
    const metrics = createMetrics();
    metrics.appendCall(0.002);
    metrics.eventsAppended({ kind: "intent", result: "appended" }, 3);
    metrics.eventsAppended({ kind: "intent", result: "repeated" }, 2);
    metrics.eventsAppended({ kind: "fact", result: "conflict" }, 1);
    metrics.reconciled({ controller: "quota", result: "success" }, 0.001);
    metrics.reconciled({ controller: "quota", result: "timeout" }, 60);
    metrics.workQueue({ name: "reconcile", depth: 7, oldestSeconds: 1.5 });
    metrics.httpRequest({ route: "/v1/tenants/:tenant/intents", method: "POST", status: 201 }, 0.01);
    metrics.sseConnections(1);
    metrics.sseConnections(1);
    metrics.sseConnections(-1);
    metrics.subscriberCut("too_slow");
    metrics.secretRefused("github-token");
    metrics.credentialRefused("unauthenticated");
    metrics.projectionLag({ projection: "resources", events: 4, seconds: 0.25 });
    const lines = (await metrics.text()).split("\n");
    expect(lines).toEqual(
      expect.arrayContaining([
        "eventplane_append_duration_seconds_count 1",
        'eventplane_events_appended_total{kind="intent",result="appended"} 3',
        'eventplane_events_appended_total{kind="fact",result="conflict"} 1',
        "eventplane_append_conflicts_total 1",
        "eventplane_idempotent_replays_total 2",
        'eventplane_reconcile_total{controller="quota",result="success"} 1',
        'eventplane_reconcile_errors_total{controller="quota",result="timeout"} 1',
        'eventplane_reconcile_time_seconds_count{controller="quota"} 2',
        'eventplane_workqueue_depth{name="reconcile"} 7',
        'eventplane_workqueue_oldest_seconds{name="reconcile"} 1.5',
        'eventplane_http_request_duration_seconds_count{route="/v1/tenants/:tenant/intents",method="POST",status="201"} 1',
        "eventplane_sse_connections 1",
        'eventplane_subscriber_cut_total{reason="too_slow"} 1',
        'eventplane_secrets_refused_total{rule="github-token"} 1',
        'eventplane_projection_lag_events{projection="resources"} 4',
        'eventplane_projection_lag_seconds{projection="resources"} 0.25',
      ]),
    );
    expect(lines.some((line) => line.startsWith("process_resident_memory_bytes "))).toBe(true);
    expect(lines.join("\n")).not.toContain('reconcile_errors_total{controller="quota",result="success"}');
    expect(metrics.contentType).toContain("text/plain");
  });

  test("no id and no free text becomes a label", async () => {
    const metrics = createMetrics();
    metrics.subscriberCut("0190a000-0000-7000-8000-000000000001");
    metrics.subscriberCut("ada@example.com said\n no");
    metrics.httpRequest(
      { route: "/v1/tenants/0190a000-0000-7000-8000-000000000001", method: "CANARY", status: 404 },
      1,
    );
    const text = await metrics.text();
    expect(text).toContain('eventplane_subscriber_cut_total{reason="other"} 2');
    expect(text).toContain('{route="other",method="OTHER",status="404"}');
    expect(text).not.toMatch(/0190a000|ada@|CANARY|tenant="/);
  });

  test("two of them share nothing", async () => {
    const first = createMetrics();
    first.sseConnections(5);
    expect(await createMetrics().text()).toContain("eventplane_sse_connections 0");
  });
});
