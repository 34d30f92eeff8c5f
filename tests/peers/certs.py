"""A certificate authority and server certificates, made with the openssl
command when a test wants them."""

import pathlib
import subprocess


def run_openssl(*words, cwd):
    done = subprocess.run(["openssl", *map(str, words)], cwd=cwd, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False)
    if done.returncode != 0:
        raise RuntimeError(f"openssl {words[0]} failed: {done.stdout}")
    return done.stdout


class Authority:
    """A CA in a directory: ca.pem, and issue() for server certificates."""

    def __init__(self, directory, name="Waybill test CA"):
        self.dir = pathlib.Path(directory)
        self.dir.mkdir(parents=True, exist_ok=True)
        self.ca = self.dir / "ca.pem"
        self.key = self.dir / "ca.key"
        if not self.ca.exists():
            run_openssl("req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-days", 30,
                        "-subj", f"/CN={name}", "-keyout", self.key,
                        "-addext", "keyUsage=critical,keyCertSign,cRLSign",
                        "-out", self.ca, cwd=self.dir)

    def issue(self, stem="server", names=("localhost",),
              addresses=("127.0.0.1", "::1"), days=10, client=False):
        """Make STEM.pem (with the chain) and STEM.key; returns the paths.

        days may be negative, for a certificate that has expired.
        """
        cert, key = self.dir / f"{stem}.pem", self.dir / f"{stem}.key"
        request = self.dir / f"{stem}.csr"
        san = ",".join([f"DNS:{name}" for name in names] +
                       [f"IP:{address}" for address in addresses])
        usage = "clientAuth" if client else "serverAuth"
        extensions = self.dir / f"{stem}.ext"
        extensions.write_text(f"subjectAltName={san}\n"
                              "basicConstraints=CA:FALSE\n"
                              f"extendedKeyUsage={usage}\n")
        run_openssl("req", "-new", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-subj",
                    f"/CN={(list(names) + ['none'])[0]}", "-keyout", key,
                    "-out", request, cwd=self.dir)
        run_openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey",
                    self.key, "-CAcreateserial", "-days", days, "-extfile",
                    extensions, "-out", cert, cwd=self.dir)
        with open(cert, "a", encoding="ascii") as chain:
            chain.write(self.ca.read_text(encoding="ascii"))
        return cert, key
