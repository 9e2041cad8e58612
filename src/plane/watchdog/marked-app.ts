/** The application with a mark at every place where the main thread enters its code. */
import type { AggregateDefinition, AppDefinition, IntentDefinition, ProjectionApply } from "../../event/index.js";
import type { Activity, LoopMarks } from "./loop-marks.js";

/** The same application; what it decides and calls stays as it is, and so do its aggregates, which are known by identity. */
export function markedApp(app: AppDefinition, marks: LoopMarks): AppDefinition {
  return Object.freeze({
    ...app,
    controllers: mapValues(app.controllers, (controller) => ({
      ...controller,
      reconcile: (context) => {
        const { tenantId, aggregateType, aggregateId } = context.resource;
        const activity = { role: "controller", name: controller.name, tenantId, aggregateType, aggregateId } as const;
        return marks.run(activity, () => controller.reconcile(context));
      },
    })),
    workers: mapValues(app.workers, (worker) => ({
      ...worker,
      run: (call) => marks.run({ role: "worker", name: worker.name }, () => worker.run(call)),
    })),
    projections: mapValues(app.projections, (projection) => ({
      ...projection,
      apply: mapValues<ProjectionApply>(projection.apply, (apply) => {
        const activity: Activity = { role: "projection", name: projection.name };
        return (...given) => marks.run(activity, () => apply(...given));
      }),
    })),
  });
}

/** The same application for whoever folds and guards. */
export function markedFolds(app: AppDefinition, marks: LoopMarks): AppDefinition {
  return Object.freeze({
    ...app,
    aggregates: mapValues(app.aggregates, (aggregate) => markedAggregate(aggregate, marks)),
  });
}

function markedAggregate(aggregate: AggregateDefinition, marks: LoopMarks): AggregateDefinition {
  const { name, guard } = aggregate;
  return {
    ...aggregate,
    intents: mapValues(aggregate.intents, (intent) => markedFold(intent, { role: "fold", name }, marks)),
    ...(guard === undefined ? {} : { guard: (...given) => marks.run({ role: "guard", name }, () => guard(...given)) }),
  };
}

function markedFold(intent: IntentDefinition, activity: Activity, marks: LoopMarks): IntentDefinition {
  const { fold } = intent;
  if (typeof fold !== "function") return intent;
  const marked: typeof fold = (...given) => marks.run(activity, () => fold(...given));
  // What a snapshot's fold depends on is the team's function.
  return { ...intent, fold: Object.assign(marked, { toString: () => String(fold) }) };
}

function mapValues<Value>(
  map: ReadonlyMap<string, Value>,
  change: (value: Value) => Value,
): ReadonlyMap<string, Value> {
  return new Map([...map].map(([key, value]) => [key, change(value)]));
}
