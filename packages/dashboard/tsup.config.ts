import { preset } from "@perdure/tsup";

export default {
  ...preset({
    index: "src/index.ts",
  }),
  // Built by vite.config.ts.
  external: ["#page-files"],
};
