import http.client
import tempfile
import threading
import unittest
from pathlib import Path

from pote import config, fetch, web


class ConfigTest(unittest.TestCase):
    def test_secrets_are_not_printed(self):
        settings = config.load({"DATABASE_URL": "postgresql://u:geheim@h/d", "SMTP_HOST": "mail", "SMTP_PASSWORD": "geheim2", "POTE_MAIL_TO": "x@y"})
        self.assertNotIn("geheim", repr(settings))

    def test_mail_needs_host_and_recipient(self):
        self.assertIsNone(config.load({"SMTP_HOST": "mail"}).mail)

    def test_a_bad_number_names_its_variable(self):
        with self.assertRaisesRegex(ValueError, "PORT is not a number"):
            config.load({"PORT": "http"})


class FetchTest(unittest.TestCase):
    def test_first_word_is_the_value(self):
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "load"
            source.write_text("0.25 0.30 0.31 1/200 4242\n")
            self.assertEqual(fetch.read(str(source)), 0.25)
            source.write_text("")
            with self.assertRaisesRegex(ValueError, "is empty"):
                fetch.read(str(source))


class ServerTest(unittest.TestCase):
    def test_a_kept_connection_does_not_hold_up_the_end(self):
        web.Handler.timeout = 60
        server = web.Server(0, "")
        loop = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        loop.start()
        visitor = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)

        def ask():
            visitor.request("GET", "/nowhere")
            answer = visitor.getresponse()
            answer.read()
            return answer.status, answer.getheader("Connection")

        self.assertEqual(ask(), (404, None))
        server.shutdown()
        loop.join()
        self.assertEqual(ask(), (404, "close"))
        server.server_close()  # waits for the connection's thread


if __name__ == "__main__":
    unittest.main()
