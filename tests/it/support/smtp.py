"""An SMTP server for the tests: it tells each letter that it takes as a line of JSON, its port before all.

Arguments: how it is encrypted (starttls, implicit, off), certificate, key, user, password.
"""

import asyncio
import email
import email.policy
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

encryption, certificate, key, user, password = sys.argv[1:6]


class Handler:
    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        encrypted = server.transport.get_extra_info("ssl_object") is not None
        letter = {
            "encrypted": encrypted,
            "authenticated": session.authenticated,
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "subject": message["Subject"],
            "body": message.get_content(),
        }
        print(json.dumps(letter), flush=True)
        return "250 OK"


def authenticator(server, session, envelope, mechanism, data):
    right = data.login == user.encode() and data.password == password.encode()
    return AuthResult(success=right)


async def main():
    context = None
    if encryption != "off":
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
    upgraded = context if encryption == "starttls" else None

    def protocol():
        return SMTP(
            Handler(),
            hostname="localhost",
            tls_context=upgraded,
            require_starttls=upgraded is not None,
            authenticator=authenticator,
            auth_required=True,
            auth_require_tls=encryption == "starttls",
        )

    whole = context if encryption == "implicit" else None
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0, ssl=whole)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
