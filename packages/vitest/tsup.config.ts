import { preset } from "@perdure/tsup";

export default preset({
  index: "src/index.ts",
  test: "src/test.ts",
});
