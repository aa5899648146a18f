import { preset } from "@perdure/tsup";

export default preset({
  index: "src/index.ts",
  node: "src/node/index.ts",
});
