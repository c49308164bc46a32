import tempfile
import unittest
from pathlib import Path

from pote import config, fetch


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


if __name__ == "__main__":
    unittest.main()
