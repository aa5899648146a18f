import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Files that take far longer than their size suggests: they start servers and processes, or wait for them. */
const LONG =
  /\/(bundlers|compilers|conformance|cluster|create|demo|faults|guide|kill|page|processes|failures)(\.fixture)?\.test\.ts$/;

/** Begins with the files that take longest, so that none of them is left to run alone at the end. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isLong = ({ moduleId }: TestSpecification): boolean => LONG.test(moduleId);
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}
