import { preset } from "@perdure/tsup";

export default preset({
  index: "src/index.ts",
  api: "src/api.ts",
  errors: "src/errors.ts",
  http: "src/http.ts",
  transactions: "src/transactions.ts",
  runtime: "src/runtime.ts",
  observability: "src/observability.ts",
  testing: "src/testing.ts",
  register: "src/register.ts",
  esbuild: "src/esbuild.ts",
  vite: "src/vite.ts",
  loader: "src/loader.ts",
  next: "src/next.ts",
  compiled: "src/compiled.ts",
  "compiled-copies": "src/compiled-copies.ts",
  cli: "src/cli.ts",
});
