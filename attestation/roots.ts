/** The roots that vendors' chains must end in, as files; README.md says where each comes from. */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** SHA-256 of the certificate's DER. A file that was changed by itself is not taken for the root. */
const nvidiaFingerprint =
  '10:2B:F6:59:D5:41:96:14:C9:D8:E6:AE:CE:BC:80:45:4E:B2:6B:1D:F6:A7:69:AC:72:0B:9A:69:0B:16:7B:48';

export const nvidiaRoot = readRoot('nvidia-device-identity-ca.pem', nvidiaFingerprint);

function readRoot(file: string, fingerprint: string): X509Certificate {
  const root = new X509Certificate(readFileSync(join(import.meta.dirname, 'roots', file)));
  if (root.fingerprint256 === fingerprint) return root;
  throw new Error(`${file} is not the pinned root: expected ${fingerprint}`);
}
