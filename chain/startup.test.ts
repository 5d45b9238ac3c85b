import { describe, expect, it } from 'vitest';
import { judgeDatabase, unknownVersions } from './startup.ts';
import { addressOf, definingPackage } from './testing/ledger.ts';

describe('the configured database', () => {
  it.each([
    [`${definingPackage}::db::AtomaDb`, 5n, 0],
    [`${addressOf(1)}::db::AtomaDb`, 5n, 1],
    [`${definingPackage}::db::NodeBadge`, 5n, 1],
    ['package', 5n, 1],
    [`${definingPackage}::db::AtomaDb`, undefined, 1],
  ])('of type %s and shared version %s has problems: %i', (type, initialSharedVersion, count) => {
    expect(judgeDatabase({ type, initialSharedVersion }, definingPackage)).toHaveLength(count);
  });
});

describe('a package version', () => {
  it('is unknown until it is approved', () => {
    const versions = [1n, 2n].map((version) => ({ packageId: addressOf(version), version }));
    expect(unknownVersions(versions, [addressOf(1)])).toEqual([versions[1]]);
    expect(unknownVersions(versions, [addressOf(1), addressOf(2)])).toEqual([]);
  });
});
