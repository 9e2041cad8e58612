export { MemoryResourceTable } from "./memory/index.js";
export type { Cursor, ResourceTable } from "./port.js";
export {
  PostgresResourceReader,
  PostgresResourceTable,
  type ResourceListPage,
  type ResourceListQuery,
} from "./postgres/index.js";
export { ResourcesProjector, type ResourcesProjectorOptions, type StoppedProjection } from "./resources-projector.js";
