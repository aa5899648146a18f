import { preset } from "@perdure/tsup";

export default preset({
  index: "src/index.ts",
  api: "src/api/index.ts",
  errors: "src/errors/index.ts",
  runtime: "src/runtime.ts",
  world: "src/world/index.ts",
  observability: "src/observability.ts",
  inspect: "src/inspect.ts",
  testing: "src/testing/index.ts",
  compiled: "src/compiled.ts",
  "compiled-copies": "src/compiled-copies.ts",
  transactions: "src/transactions.ts",
});
